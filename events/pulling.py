"""A JetStream pull consumer that always has credit open at the server, so that no message waits for a poll.

nats-py's `fetch(n)` waits its whole time-out for the n-th message, which trades latency for batches. Here
requests stay open, messages come in as the server has them, and the caller takes batches of what is there.
Memory is bounded by the credit: the server sends only what was asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import Error as JetStreamError

from events.connection import Connection, ensure_stream
from events.streams import Stream
from observability import backoff

logger = logging.getLogger(__name__)

_EXPIRES_S = 20.0
_HEARTBEAT_S = 1.0
_MOST_BYTES = 64 << 20
_GONE = ("Deleted", "Shutdown", "Leadership")
_SILENCE_S = 2.5 * _HEARTBEAT_S


@dataclass(frozen=True, slots=True)
class Pulled:
    """A message and its place: the life of the stream it came from, and its sequence there."""

    message: Msg
    epoch: str
    seq: int
    published_us: int
    """When the server stored the message, in microseconds since 1970."""
    deliveries: int = 1
    """How often it was delivered, with this time."""

    @property
    def published_at(self) -> datetime:
        """When the server stored the message."""
        return datetime.fromtimestamp(self.published_us / 1e6, UTC)

    @property
    def place(self) -> tuple[str, int]:
        """What tells this message from every other, also after the stream was made anew."""
        return self.epoch, self.seq


class PullConsumer:
    """A durable pull consumer on `stream`; several processes may share one `durable` name.

    Credit is free again when a message was handed out; with `busy`, when the caller no longer counts it there
    (and says so with `wake`).
    """

    def __init__(
        self,
        connection: Connection,
        stream: Stream,
        *,
        durable: str,
        credit: int,
        ack_wait_s: float,
        max_ack_pending: int,
        busy: Callable[[], int] | None = None,
    ) -> None:
        self._connection = connection
        self._busy = busy
        self._stream = stream
        self._credit = credit
        self._config = ConsumerConfig(
            durable_name=durable,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ack_wait_s,
            max_ack_pending=max_ack_pending,
            max_deliver=-1,
        )
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream.name}.{durable}"
        self._inbox = ""
        self._subscription: Any = None
        self._waiting: deque[Pulled] = deque()
        self._arrived = asyncio.Event()
        self._open = 0
        self._lost = True
        self._stopped = False
        self._heard_at = 0.0
        self._epoch = ""

    def is_alive(self, pulled: Pulled) -> bool:
        """False for a message of an earlier life of the stream: its sequence names another one now."""
        return pulled.epoch == self._epoch

    async def next_batch(self, *, most: int, linger_s: float) -> list[Pulled]:
        """Wait for a message, then up to `linger_s` for more; at least one, at most `most`.

        Survives a server that goes away, also one that comes back without the stream. After `stop` it
        gives what had been received, then empty lists.
        """
        while not self._waiting:
            if self._stopped:
                return []
            await self._keep_open()
            self._arrived.clear()
            try:
                # Not `wait_for`: before Python 3.12 it swallows a cancellation that comes with the result.
                async with asyncio.timeout(_HEARTBEAT_S):
                    await self._arrived.wait()
            except TimeoutError:
                continue
        if len(self._waiting) < most and not self._stopped:
            await asyncio.sleep(linger_s)
        batch = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        if not self._stopped:
            await self._keep_open(handed_out=len(batch))
        return batch

    def wake(self) -> None:
        """Let a waiting `next_batch` look at `busy` again."""
        self._arrived.set()

    async def stop(self) -> None:
        """Ask for no more messages; `next_batch` still gives what has been received."""
        self._stopped = True
        self._arrived.set()
        await self._unsubscribe()

    async def _unsubscribe(self) -> None:
        if self._subscription is not None:
            with contextlib.suppress(nats.errors.Error):  # without a connection it is gone anyway
                await self._subscription.unsubscribe()
            self._subscription = None

    async def _keep_open(self, *, handed_out: int = 0) -> None:
        """Renew the credit; start over where the server lost us, the consumer or the stream."""
        silent = self._open and time.monotonic() - self._heard_at > _SILENCE_S
        if self._lost or silent:
            if not self._connection.client.is_connected:
                return
            await self._start_over()
        held = 0 if self._busy is None else self._busy() + handed_out
        missing = self._credit - self._open - len(self._waiting) - held
        if missing >= max(1, self._credit // 2) and self._connection.client.is_connected:
            await self._request(missing)

    async def _start_over(self) -> None:
        attempt = 0
        while not self._stopped:
            try:
                self._epoch = await ensure_stream(self._connection.jetstream, self._stream)
                await self._connection.jetstream.add_consumer(self._stream.name, self._config)
                break
            except (TimeoutError, nats.errors.Error, JetStreamError) as error:
                attempt += 1
                if attempt == 1:
                    logger.warning("stream %s is not ready: %s", self._stream.name, error)
                await asyncio.sleep(backoff.delay_s(attempt, most_s=1.0))
        if self._stopped:
            return
        # A new inbox leaves answers to the old requests behind, so that credit is not counted twice.
        await self._unsubscribe()
        self._inbox = self._connection.client.new_inbox()
        self._subscription = await self._connection.client.subscribe(self._inbox, cb=self._on_message)
        self._open = 0
        self._lost = False

    async def _request(self, count: int) -> None:
        body = {
            "batch": count,
            "expires": int(_EXPIRES_S * 1e9),
            "idle_heartbeat": int(_HEARTBEAT_S * 1e9),
            "max_bytes": _MOST_BYTES,
        }
        self._open += count
        self._heard_at = time.monotonic()
        await self._connection.client.publish(self._subject, msgspec.json.encode(body), reply=self._inbox)

    async def _on_message(self, msg: Msg) -> None:
        self._heard_at = time.monotonic()
        # Only what the stream holds can be acknowledged; the server's own words about the request cannot.
        status = None if msg.reply else (msg.headers or {}).get("Status")
        if status is None:
            self._open = max(0, self._open - 1)
            seq, published_ns, deliveries = _place_of(msg.reply)
            self._waiting.append(Pulled(msg, self._epoch, seq, published_ns // 1000, deliveries))
            self._arrived.set()
        elif status != "100":
            self._on_request_ended(status, msg.headers or {})

    def _on_request_ended(self, status: str, headers: dict[str, str]) -> None:
        """Give the unused credit back; start over where the words say that the consumer is gone."""
        unused = headers.get("Nats-Pending-Messages", "")
        description = headers.get("Description", "")
        if unused.isdigit():
            self._open = max(0, self._open - int(unused))
        elif description != "Batch Completed":
            self._open = 0
        if status == "503" or any(word in description for word in _GONE):
            logger.info("pull request on %s ended: %s %s", self._stream.name, status, description)
            self._lost = True
        self._arrived.set()


def _place_of(reply: str) -> tuple[int, int, int]:
    """Sequence, time (ns) and deliveries of a message, from the subject that acknowledges it.

    ``$JS.ACK.stream.consumer.deliveries.seq.consumer_seq.time.pending``; a domain and an account stand before
    the stream where the server has them. nats-py's own `metadata` reads all of it, at six times the cost.
    """
    tokens = reply.split(".")
    start = 5 if len(tokens) == 9 else 7
    return int(tokens[start]), int(tokens[start + 2]), int(tokens[start - 1])
