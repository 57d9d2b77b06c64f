"""Moving a message that nobody can use to the dead letters: as it was, with the reason beside it."""

from __future__ import annotations

import hashlib
import logging

import nats.errors
from nats.js.errors import APIError

from events import publishing, streams
from events.connection import Connection
from events.pulling import Pulled

logger = logging.getLogger(__name__)

_MOST_BYTES = 256 * 1024
_MOST_HEADER_BYTES = 8 * 1024


async def bury(connection: Connection, pulled: Pulled, reason: str) -> None:
    """Store a copy under ``dlq.`` + subject; whoever does it twice leaves one copy there.

    What the server would refuse is left out: its own ``Nats-*`` headers, headers that are too long, and
    the end of a body above 256 KiB, whose length and SHA-256 are told instead. A copy that is refused all
    the same is logged and given up: one message must not stop the flow.
    """
    message = pulled.message
    try:
        await publishing.publish_once(
            connection.jetstream,
            streams.dead_letter_subject(message.subject),
            message.data[:_MOST_BYTES],
            msg_id=f"{message.subject}-{pulled.epoch}-{pulled.seq}",
            stream=streams.DEAD_LETTERS,
            headers={**_kept_headers(message.headers or {}), **_told(message.data, reason)},
        )
    except (APIError, nats.errors.MaxPayloadError) as error:
        logger.error("message %d cannot become a dead letter: %s", pulled.seq, error)
        return
    request_id = _one_line((message.headers or {}).get(streams.REQUEST_ID_HEADER, ""))[:128]
    logger.warning(
        "dead letter: %s message %d: %s",
        message.subject,
        pulled.seq,
        _one_line(reason),
        extra={"request_id": request_id},
    )


def _kept_headers(headers: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in headers.items() if not name.lower().startswith("nats-")}
    size = sum(len(name) + len(value) for name, value in kept.items())
    return kept if size <= _MOST_HEADER_BYTES else {}


def _told(data: bytes, reason: str) -> dict[str, str]:
    told = {streams.DEAD_LETTER_REASON_HEADER: _one_line(reason)}
    if len(data) > _MOST_BYTES:
        told[streams.DEAD_LETTER_BYTES_HEADER] = str(len(data))
        told[streams.DEAD_LETTER_SHA256_HEADER] = hashlib.sha256(data).hexdigest()
    return told


def _one_line(text: str) -> str:
    """`text` as a header value: printable ASCII, at most 500 characters."""
    return text.encode("unicode_escape").decode("ascii")[:500]
