"""Publishing to JetStream so that a message is stored once, whatever the network does meanwhile."""

from __future__ import annotations

import asyncio
import logging

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError

from events.streams import MSG_ID_HEADER
from observability import backoff

logger = logging.getLogger(__name__)


async def publish_once(
    jetstream: JetStreamContext,
    subject: str,
    payload: bytes,
    *,
    msg_id: str,
    headers: dict[str, str] | None = None,
) -> int:
    """Publish until the server has stored `payload`; return its stream sequence.

    A time-out leaves open whether the message was stored, so every try carries the same `msg_id` and
    the server drops the second copy (within the stream's duplicate window).
    """
    attempt = 0
    while True:
        try:
            ack = await jetstream.publish(
                subject, payload, headers={**(headers or {}), MSG_ID_HEADER: msg_id}
            )
            return ack.seq
        except (nats.errors.ConnectionClosedError, nats.errors.MaxPayloadError):
            raise
        except (TimeoutError, nats.errors.Error, JetStreamError) as error:
            attempt += 1
            if attempt == 1:
                logger.warning(
                    "publish to %s failed, trying again: %s: %s",
                    subject,
                    type(error).__name__,
                    error,
                )
            await asyncio.sleep(backoff.delay_s(attempt))
