"""Publishing to JetStream so that a message is stored once, whatever the network does meanwhile."""

from __future__ import annotations

import asyncio
import logging

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import APIError
from nats.js.errors import Error as JetStreamError

from events.connection import ensure_stream
from events.streams import MSG_ID_HEADER, Stream
from observability import backoff

logger = logging.getLogger(__name__)

_SERVER_ERROR = 500


async def publish_once(
    jetstream: JetStreamContext,
    subject: str,
    payload: bytes,
    *,
    msg_id: str,
    headers: dict[str, str] | None = None,
    stream: Stream | None = None,
) -> int:
    """Publish until the server has stored `payload`; return its stream sequence.

    With `stream` given, that stream is made where it turns out to be missing.

    A time-out leaves open whether the message was stored, so every try carries the same `msg_id` and
    the server drops the second copy (within the stream's duplicate window). Raises what another try cannot
    mend: `nats.errors.ConnectionClosedError`, `MaxPayloadError`, and the server's own refusal (`APIError`
    below 500).
    """
    attempt = 0
    while True:
        try:
            if attempt and stream is not None:
                await ensure_stream(jetstream, stream)
            ack = await jetstream.publish(
                subject, payload, headers={**(headers or {}), MSG_ID_HEADER: msg_id}
            )
            return ack.seq
        except (TimeoutError, nats.errors.Error, JetStreamError) as error:
            if _is_final(error):
                raise
            attempt += 1
            if attempt == 1:
                logger.warning(
                    "publish to %s failed, trying again: %s: %s",
                    subject,
                    type(error).__name__,
                    error,
                )
            await asyncio.sleep(backoff.delay_s(attempt))


def _is_final(error: Exception) -> bool:
    if isinstance(error, APIError):
        return error.code is not None and error.code < _SERVER_ERROR
    return isinstance(error, nats.errors.ConnectionClosedError | nats.errors.MaxPayloadError)
