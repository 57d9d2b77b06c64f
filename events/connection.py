"""Connecting to NATS and making sure the streams exist. The one place that knows connection options."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import NotFoundError

from events.streams import Stream
from observability import backoff
from observability.outages import Outage
from observability.probes import NotThere

logger = logging.getLogger(__name__)

OLDEST_SERVER = (2, 12)
REQUEST_TIMEOUT_S = 5.0


class ServerTooOld(Exception):
    """The NATS server lacks what the gateway relies on."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An open NATS connection, its JetStream context, and an event that fires when it is lost for good."""

    client: Client
    jetstream: JetStreamContext
    closed: asyncio.Event

    async def version(self) -> str:
        """The version of the server, once it has answered; raises `NotThere` while there is none."""
        if not self.client.is_connected:
            raise NotThere("NATS is not connected")
        try:
            await self.client.flush(timeout=1)
        except (TimeoutError, nats.errors.Error):
            raise NotThere("NATS does not answer") from None
        version = self.client.connected_server_version
        return f"NATS {version.major}.{version.minor}.{version.patch}"

    async def drain(self, timeout_s: float = 2.0) -> None:
        """Flush what is buffered and close; closes hard where draining is impossible."""
        try:
            await asyncio.wait_for(self.client.drain(), timeout_s)
        except (TimeoutError, nats.errors.Error):
            with contextlib.suppress(OSError):  # the transport has gone first
                await self.client.close()


async def connect(url: str, *, name: str) -> Connection:
    """Connect to `url` (several, comma separated, make a cluster), waiting as long as it takes.

    Later losses are reconnected by the client itself without an end. Raises `ServerTooOld` for a
    server below 2.12, which would silently ignore parts of our consumer configuration.
    """
    closed = asyncio.Event()
    outage = Outage(f"NATS at {without_secrets(url)}")

    async def on_error(error: Exception) -> None:
        if client is None:  # the first connection: nats-py tries for ever and tells only here
            outage.failed(error)
        logger.debug("NATS: %s: %s", type(error).__name__, error)

    async def on_disconnected() -> None:
        if client is not None and not (client.is_closed or client.is_draining):
            outage.failed(ConnectionError("connection lost"))

    async def on_reconnected() -> None:
        outage.succeeded()

    async def on_closed() -> None:
        closed.set()

    client: Client | None = None
    attempt = 0
    while client is None:
        try:
            client = await nats.connect(
                [part.strip() for part in url.split(",")],
                name=name,
                connect_timeout=2,
                allow_reconnect=True,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.25,
                flush_timeout=2,
                # A half-open connection is noticed within about ten seconds.
                ping_interval=5,
                error_cb=on_error,
                disconnected_cb=on_disconnected,
                reconnected_cb=on_reconnected,
                closed_cb=on_closed,
            )
        except (OSError, TimeoutError, nats.errors.Error) as error:
            attempt += 1
            outage.failed(error)
            await asyncio.sleep(backoff.delay_s(attempt))
    outage.succeeded()
    version = client.connected_server_version
    if (version.major, version.minor) < OLDEST_SERVER:
        await client.close()
        raise ServerTooOld(
            f"NATS server {version} at {without_secrets(url)} is too old: the gateway needs "
            f"{OLDEST_SERVER[0]}.{OLDEST_SERVER[1]} or newer. Upgrade the server, or unset NATS_URL "
            "and let `manage.py up` start its own."
        )
    return Connection(client, client.jetstream(timeout=REQUEST_TIMEOUT_S), closed)


async def connect_unless(stop: asyncio.Event, url: str, *, name: str) -> Connection | None:
    """Connect as `connect` does; None once `stop` is set, so that a server that is away holds up no end."""
    connecting = asyncio.create_task(connect(url, name=name))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((connecting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not connecting.done():
        connecting.cancel()
        return None
    stopping.cancel()
    return await connecting


async def ensure_stream(jetstream: JetStreamContext, stream: Stream) -> str:
    """Create `stream` where it is missing and return its epoch.

    The epoch identifies one life of the stream: it changes when the stream is deleted and made anew,
    which is when sequence numbers start over.
    """
    try:
        info = await jetstream.stream_info(stream.name)
    except NotFoundError:
        info = await jetstream.add_stream(
            StreamConfig(
                name=stream.name,
                subjects=list(stream.subjects),
                retention=RetentionPolicy(stream.retention),
                storage=StorageType.FILE,
                max_age=stream.max_age_s,
                max_bytes=stream.max_bytes,
                duplicate_window=stream.duplicate_window_s,
            )
        )
        logger.info("created stream %s for %s", stream.name, ", ".join(stream.subjects))
    missing = set(stream.subjects) - set(info.config.subjects or ())
    if missing:
        logger.error(
            "stream %s exists but does not capture %s: add the subject to it, or delete the stream",
            stream.name,
            ", ".join(sorted(missing)),
        )
    return _epoch_of(info)


async def find_epoch(jetstream: JetStreamContext, stream: Stream) -> str:
    """The epoch of `stream`, as `ensure_stream` has it; raises `NotFoundError` where there is none."""
    return _epoch_of(await jetstream.stream_info(stream.name))


def _epoch_of(info: StreamInfo) -> str:
    if info.created is None:
        raise RuntimeError(f"the server gave no creation time for stream {info.config.name}")
    return format(int(info.created.timestamp() * 1000), "x")


def without_secrets(url: str) -> str:
    """`url` without user names and passwords, for logs."""
    return ",".join(part.rpartition("@")[2].rpartition("://")[2] for part in url.split(","))
