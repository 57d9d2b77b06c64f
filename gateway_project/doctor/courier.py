"""NATS: there, new enough, with its streams; who takes from them, and what waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable

import nats
import nats.errors
from django.conf import settings
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError
from nats.js.errors import NotFoundError

from events import streams
from events.connection import OLDEST_SERVER, without_secrets
from events.streams import Stream
from gateway_project.doctor.findings import Finding, failed, note, ok

_MUCH = 10_000
_WITHIN_S = 3


def look() -> Iterable[Finding]:
    """Everything that is asked of NATS."""
    return asyncio.run(_collect())


async def _collect() -> list[Finding]:
    return [finding async for finding in _look()]


async def _look() -> AsyncIterator[Finding]:
    url = settings.GATEWAY.nats_url
    try:
        async with asyncio.timeout(_WITHIN_S):  # the client itself would go on trying
            client = await nats.connect(
                [part.strip() for part in url.split(",")], name="doctor", error_cb=_be_silent
            )
    except (OSError, TimeoutError, nats.errors.Error) as error:
        place, reason = without_secrets(url), str(error) or type(error).__name__
        yield failed("nats", f"{place} cannot be reached: {reason}", "start it, or correct NATS_URL")
        return
    try:
        began = time.perf_counter()
        await client.flush(timeout=_WITHIN_S)
        took_s = time.perf_counter() - began
        version = client.connected_server_version
        shown = f"NATS {version.major}.{version.minor}.{version.patch}, {took_s * 1000:.1f} ms"
        if (version.major, version.minor) < OLDEST_SERVER:
            yield failed("nats", shown, f"upgrade it to {'.'.join(map(str, OLDEST_SERVER))} or newer")
            return
        yield ok("nats", shown)
        async for finding in _look_at_streams(client.jetstream(timeout=_WITHIN_S)):
            yield finding
    finally:
        await client.close()


async def _look_at_streams(jetstream: JetStreamContext) -> AsyncIterator[Finding]:
    try:
        await jetstream.account_info()
    except (TimeoutError, nats.errors.Error, JetStreamError):
        yield failed("jetstream", "JetStream does not answer", "start the server with `-js`, and a store_dir")
        return
    for stream, who, command in (
        (streams.PREDICTIONS, "bridge", "nats_bridge"),
        (streams.JOBS, "explain worker", "explain_worker"),
    ):
        yield await _look_at_consumers(jetstream, stream, who, command)
    letters = await _count(jetstream, streams.DEAD_LETTERS)
    if letters:
        yield note("dead letters", f"{letters} wait", "read their reasons in the admin, under Dead letters")
    else:
        yield ok("dead letters", "none")


async def _look_at_consumers(jetstream: JetStreamContext, stream: Stream, who: str, command: str) -> Finding:
    start = f"start `manage.py {command}`"
    try:
        consumers = await jetstream.consumers_info(stream.name)
    except NotFoundError:
        return failed(who, f"there is no stream {stream.name}", f"{start}: it makes the stream")
    listening = sum(one.num_waiting or 0 for one in consumers)
    pending = sum(one.num_pending or 0 for one in consumers)
    if not listening:
        return failed(who, f"nobody takes from {stream.name}; {pending} messages wait", start)
    if pending > _MUCH:
        return note(who, f"{pending} messages wait in {stream.name}", f"{start} once more, beside it")
    return ok(who, f"takes from {stream.name}; {pending} messages wait")


async def _count(jetstream: JetStreamContext, stream: Stream) -> int:
    try:
        return (await jetstream.stream_info(stream.name)).state.messages
    except NotFoundError:
        return 0


async def _be_silent(error: Exception) -> None:
    """What goes wrong is in the finding."""
