"""The dead letters for people: looked at, put back and deleted over a connection that lasts one call.

Synchronous, for threads without an event loop; every call ends within `DEADLINE_S`. Raises `DeadLettersAway`
where NATS does not answer in time, `NoSuchLetter`, and `NotPutBack` with the reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NotFoundError
from nats.js.errors import Error as JetStreamError

from events import streams
from events.connection import ensure_stream
from events.streams import DEAD_LETTER_PREFIX, DEAD_LETTERS, Stream

logger = logging.getLogger(__name__)

DEADLINE_S = 3.0
PAGE_SIZE = 100
# Where most letters were deleted a page may be shorter, or empty: no page looks for them for ever.
_MOST_LOOKED_AT = 1000
_AT_ONCE = 25
_CONNECT_TIMEOUT_S = 2
_OWN_HEADERS = ("nats-", "x-dead-letter-")
_HOMES = {
    subject: stream
    for stream in (streams.PREDICTIONS, streams.JOBS, streams.EXPLANATIONS)
    for subject in stream.subjects
}
T = TypeVar("T")


class DeadLettersAway(Exception):
    """NATS did not answer in time, or refused; what was asked of it may have been done."""


class NoSuchLetter(Exception):
    """There is no dead letter with this number, or no longer."""


class NotPutBack(Exception):
    """The letter cannot become a message again; the text says why."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter; in a list without its `body`. `size` in bytes is that of the message as it was."""

    seq: int
    at: datetime | None
    subject: str
    headers: dict[str, str]
    size: int
    body: bytes

    @property
    def reason(self) -> str:
        """Why nobody could use it."""
        return self.headers.get(streams.DEAD_LETTER_REASON_HEADER, "")

    @property
    def request_id(self) -> str:
        """The request that it came from."""
        return self.headers.get(streams.REQUEST_ID_HEADER, "")

    @property
    def why_not_put_back(self) -> str:
        """The reason for which it cannot be put back; empty where it can."""
        if streams.DEAD_LETTER_BYTES_HEADER in self.headers:
            return "Only the beginning of its body was kept."
        if self.subject not in _HOMES:
            return "No stream of the gateway takes its subject."
        return ""


@dataclass(frozen=True, slots=True)
class Page:
    """Letters, newest first, of `total`; `older` is what to ask for next, None at the end."""

    letters: list[Letter]
    total: int
    older: int | None


def list_letters(url: str, *, before: int | None = None) -> Page:
    """At most `PAGE_SIZE` letters with numbers below `before`."""
    return _run(_list(url, before))


def get_letter(url: str, seq: int) -> Letter:
    """One letter with all that is kept of it."""
    return _run(_get(url, seq))


def put_back(url: str, seq: int) -> Letter:
    """Publish the letter to the subject that it came from, then delete it; returns it as it was.

    Its new message id is made of its number: sent twice within two minutes, it is stored once.
    """
    return _run(_put_back(url, seq))


def delete(url: str, seq: int) -> Letter:
    """Delete the letter; returns it as it was."""
    return _run(_delete(url, seq))


def _run(asking: Coroutine[Any, Any, T]) -> T:
    async def in_time() -> T:
        async with asyncio.timeout(DEADLINE_S):
            return await asking

    try:
        return asyncio.run(in_time())
    except NotFoundError:
        raise NoSuchLetter from None
    except (OSError, TimeoutError, nats.errors.Error, JetStreamError) as error:
        logger.warning("dead letters cannot be reached: %s: %s", type(error).__name__, error)
        raise DeadLettersAway from None


@contextlib.asynccontextmanager
async def _jetstream(url: str) -> AsyncIterator[JetStreamContext]:
    client = Client()
    try:
        await client.connect(
            [part.strip() for part in url.split(",")],
            name="dead_letter_box",
            # Each server is asked twice: whoever waits for the page is told at once that all refuse.
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=_CONNECT_TIMEOUT_S,
            error_cb=_on_error,
        )
        yield client.jetstream(timeout=DEADLINE_S)
    finally:
        await client.close()


async def _on_error(error: Exception) -> None:
    logger.debug("NATS: %s: %s", type(error).__name__, error)


async def _list(url: str, before: int | None) -> Page:
    async with _jetstream(url) as jetstream:
        try:
            state = (await jetstream.stream_info(DEAD_LETTERS.name)).state
        except NotFoundError:  # nothing has died yet
            return Page([], 0, None)
        first = max(1, state.first_seq)
        seq = min(state.last_seq, before - 1 if before else state.last_seq)
        lowest = max(first, seq - _MOST_LOOKED_AT + 1)
        letters: list[Letter] = []
        while seq >= lowest and len(letters) < PAGE_SIZE:
            size = min(_AT_ONCE, PAGE_SIZE - len(letters), seq - lowest + 1)
            found = await asyncio.gather(*(_summary(jetstream, seq - place) for place in range(size)))
            letters += [letter for letter in found if letter is not None]
            seq -= size
        return Page(letters, state.messages, seq + 1 if seq >= first else None)


async def _summary(jetstream: JetStreamContext, seq: int) -> Letter | None:
    """The letter without its body; None where it was deleted."""
    try:
        return _letter(await jetstream.get_msg(DEAD_LETTERS.name, seq), with_body=False)
    except NotFoundError:
        return None


async def _get(url: str, seq: int) -> Letter:
    async with _jetstream(url) as jetstream:
        return await _read(jetstream, seq)


async def _put_back(url: str, seq: int) -> Letter:
    async with _jetstream(url) as jetstream:
        letter = await _read(jetstream, seq)
        if letter.why_not_put_back:
            raise NotPutBack(letter.why_not_put_back)
        epoch = await ensure_stream(jetstream, DEAD_LETTERS)
        home: Stream = _HOMES[letter.subject]
        await ensure_stream(jetstream, home)
        kept = {
            name: value for name, value in letter.headers.items() if not name.lower().startswith(_OWN_HEADERS)
        }
        headers = {**kept, streams.MSG_ID_HEADER: f"{letter.subject}-dead-{epoch}-{seq}"}
        await jetstream.publish(letter.subject, letter.body, stream=home.name, headers=headers)
        await _remove(jetstream, seq)
        return letter


async def _delete(url: str, seq: int) -> Letter:
    async with _jetstream(url) as jetstream:
        letter = await _read(jetstream, seq)
        await _remove(jetstream, seq)
        return letter


async def _read(jetstream: JetStreamContext, seq: int) -> Letter:
    return _letter(await jetstream.get_msg(DEAD_LETTERS.name, seq), with_body=True)


async def _remove(jetstream: JetStreamContext, seq: int) -> None:
    """Delete it; somebody else may have been quicker."""
    try:
        await jetstream.delete_msg(DEAD_LETTERS.name, seq)
    except APIError as error:
        if error.code is None or error.code >= 500:
            raise
        logger.info("dead letter %d was gone: %s", seq, error.description)


def _letter(message: RawStreamMsg, *, with_body: bool) -> Letter:
    headers = dict(message.headers or {})
    body = message.data or b""
    told = headers.get(streams.DEAD_LETTER_BYTES_HEADER, "")
    return Letter(
        seq=message.seq or 0,
        at=message.time,
        subject=(message.subject or "").removeprefix(DEAD_LETTER_PREFIX),
        headers=headers,
        size=int(told) if told.isascii() and told.isdecimal() else len(body),
        body=body if with_body else b"",
    )
