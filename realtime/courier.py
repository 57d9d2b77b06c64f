"""Carries a stream of NATS to where it belongs: JetStream -> database -> tell the readers -> ack.

The rules it keeps:
1. A message is acknowledged only when it is recorded and told. What dies before that is delivered again, and
   every step may be repeated.
2. Two stages run side by side: recording and telling. While Redis is away the record goes on filling, up to
   `MAX_UNTOLD` messages or `MAX_UNTOLD_BYTES`; then pulling stops and JetStream keeps the rest.
3. Order is the order of the stream: both stages handle one batch at a time.
4. A message that does not fit goes to the dead letters with the reason and never stops the flow.
5. While a stage waits for its store, the messages it holds are kept alive at the server.

What is carried, a `Freight`, knows how to decode, record and tell; `realtime.bridge` puts both together.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import nats.errors
from django.db import Error as DatabaseFailure
from django.db import connection as database
from nats.aio.msg import Msg
from nats.js.errors import Error as JetStreamError

from events import dead_letters, streams
from events.connection import Connection, ensure_stream
from events.prediction_updated import PayloadRefused
from events.pulling import PullConsumer, Pulled
from events.streams import Stream
from observability.outages import Outage
from observability.retries import until_it_works
from observability.tasks import end

logger = logging.getLogger(__name__)

MAX_UNTOLD = 10_000
MAX_UNTOLD_BYTES = 128 << 20
_STOP_TIMEOUT_S = 8.0
_STUCK_AFTER_S = 2.0
# Each may have 256 KiB.
_BURIED_AT_ONCE = 50

E = TypeVar("E")
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Recorded(Generic[T]):
    """What became of a batch: what is to be told, and reasons of refusals by the index of the message."""

    told: list[T]
    refused: dict[int, str]


class Freight(Protocol[E, T]):
    """What a courier carries."""

    stream: Stream
    durable: str

    def decode(self, pulled: Pulled) -> E:
        """The message as a value; raises `PayloadRefused`."""

    def record(self, batch: Sequence[E]) -> Recorded[T]:
        """Store the batch, in a thread; may be repeated. Raises Django's database errors while it is away."""

    async def tell(self, told: Sequence[T], in_thread: InThread) -> None:
        """Tell the readers, waiting for whoever is away."""


class InThread(Protocol):
    """Calls a function in the thread of the telling stage."""

    async def __call__(self, function: Callable[..., R], *args: Any) -> R:
        """What the function returns."""


@dataclass(frozen=True, slots=True)
class _Batch(Generic[T]):
    """On its way from the record to the readers: what is to be told, and what to acknowledge."""

    told: list[T]
    pulled: list[Pulled]
    size_bytes: int


class StoreStuck(Exception):
    """A store did not even answer the end: the process must go without waiting for its thread."""


class Courier(Generic[E, T]):
    """Carries one freight. Several processes may carry the same: they share the durable consumer."""

    def __init__(
        self,
        connection: Connection,
        freight: Freight[E, T],
        *,
        batch_size: int,
        linger_s: float,
        ack_wait_s: float,
    ) -> None:
        self._connection = connection
        self._freight = freight
        self._batch_size = batch_size
        self._linger_s = linger_s
        self._ack_wait_s = ack_wait_s
        self._consumer = PullConsumer(
            connection,
            freight.stream,
            durable=freight.durable,
            credit=2 * batch_size,
            ack_wait_s=ack_wait_s,
            max_ack_pending=MAX_UNTOLD + 2 * batch_size,
        )
        # What was taken and is not acknowledged yet, by its place in the stream.
        self._held: dict[tuple[str, int], Pulled] = {}
        self._outage = Outage(f"the database ({freight.stream.name})")
        self._untold: asyncio.Queue[_Batch[T]] = asyncio.Queue()
        self._untold_messages = 0
        self._untold_bytes = 0
        self._room = asyncio.Event()
        # One thread a stage: Django's connection and the order of batches both want a single owner.
        self._recording = ThreadPoolExecutor(1, thread_name_prefix="record")
        self._telling = ThreadPoolExecutor(1, thread_name_prefix="tell")

    async def run(self, stop: asyncio.Event) -> None:
        """Carry until `stop` is set, then finish what was taken (8 s at most).

        Raises `ConnectionError` when the NATS connection is closed for good, and whatever a stage
        could not expect: the supervisor starts a new process then.
        """
        stages = [
            asyncio.create_task(self._take_and_record()),
            asyncio.create_task(self._tell_and_acknowledge()),
            asyncio.create_task(self._keep_alive()),
        ]
        stopping = asyncio.create_task(stop.wait())
        closing = asyncio.create_task(self._connection.closed.wait())
        tasks: tuple[asyncio.Task[Any], ...] = (*stages, stopping, closing)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in stages:
                if task.done():
                    task.result()
            if closing.done() and not stop.is_set():
                raise ConnectionError("the NATS connection was closed")
            await self._finish(stages[0])
        finally:
            await end(tasks)
            await self._let_go()

    async def _finish(self, taking: asyncio.Task[None]) -> None:
        """Take no more; let what was received be recorded, told and acknowledged."""
        await self._consumer.stop()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await taking
                await self._untold.join()
        except TimeoutError:
            logger.warning("stopped with %d messages untold; they will come again", len(self._held))

    async def _let_go(self) -> None:
        """Close the database connections and end both threads; raises `StoreStuck` if one is in a call."""
        for executor in (self._recording, self._telling):
            try:
                async with asyncio.timeout(_STUCK_AFTER_S):
                    await _call(executor, _close_database)
            except TimeoutError:
                raise StoreStuck("a store does not answer; leaving without it") from None
            executor.shutdown(wait=False)

    async def _take_and_record(self) -> None:
        await until_it_works(
            lambda: ensure_stream(self._connection.jetstream, streams.DEAD_LETTERS),
            TimeoutError,
            nats.errors.Error,
            JetStreamError,
        )
        while received := await self._consumer.next_batch(most=self._batch_size, linger_s=self._linger_s):
            # One that comes again while we hold it is neither lost nor new.
            new = {one.place: one for one in received if one.place not in self._held}
            self._held |= new
            pulled = list(new.values())
            told = await self._record(*await self._decode(pulled))
            size_bytes = sum(len(one.message.data) for one in pulled)
            for one in pulled:
                one.message.data = b""
            await self._hand_over(_Batch(told, pulled, size_bytes))

    async def _hand_over(self, batch: _Batch[T]) -> None:
        """Queue `batch` for telling, and wait while there is too much of it."""
        self._untold_messages += len(batch.pulled)
        self._untold_bytes += batch.size_bytes
        self._untold.put_nowait(batch)
        while self._untold_messages >= MAX_UNTOLD or self._untold_bytes >= MAX_UNTOLD_BYTES:
            self._room.clear()
            await self._room.wait()

    async def _decode(self, pulled: Sequence[Pulled]) -> tuple[list[E], list[Pulled]]:
        """The values of the messages that fit, with those messages; the others are dead letters.

        Buried side by side: one after the other, a flood of them would hold up what comes behind it.
        """
        fitting: list[E] = []
        kept: list[Pulled] = []
        refused: list[tuple[Pulled, str]] = []
        for one in pulled:
            try:
                fitting.append(self._freight.decode(one))
            except PayloadRefused as error:
                refused.append((one, str(error)))
                continue
            kept.append(one)
        await self._bury(refused)
        return fitting, kept

    async def _bury(self, refused: Sequence[tuple[Pulled, str]]) -> None:
        for start in range(0, len(refused), _BURIED_AT_ONCE):
            some = refused[start : start + _BURIED_AT_ONCE]
            await asyncio.gather(*(dead_letters.bury(self._connection, one, reason) for one, reason in some))

    async def _record(self, offered: list[E], pulled: list[Pulled]) -> list[T]:
        """Record the batch; returns what is to be told."""
        recorded = await until_it_works(
            lambda: _call(self._recording, _record_batch, self._freight, offered),
            DatabaseFailure,
            outage=self._outage,
        )
        await self._bury([(pulled[index], reason) for index, reason in recorded.refused.items()])
        told: list[T] = recorded.told
        return told

    async def _tell_and_acknowledge(self) -> None:
        async def in_thread(function: Callable[..., R], *args: Any) -> R:
            return await _call(self._telling, function, *args)

        while True:
            batch = await self._untold.get()
            if batch.told:
                await self._freight.tell(batch.told, in_thread)
            for one in batch.pulled:
                del self._held[one.place]
                if self._consumer.is_alive(one):
                    await _acknowledge(one.message)
            self._untold_messages -= len(batch.pulled)
            self._untold_bytes -= batch.size_bytes
            self._room.set()
            self._untold.task_done()

    async def _keep_alive(self) -> None:
        """Tell the server every third of the ack wait that held messages are being worked on."""
        while True:
            await asyncio.sleep(self._ack_wait_s / 3)
            for place, one in list(self._held.items()):
                if place not in self._held or not self._consumer.is_alive(one):
                    continue
                if self._connection.client.is_connected:
                    with contextlib.suppress(nats.errors.Error):  # reconnecting: tried again soon
                        await one.message.in_progress()


async def _call(executor: ThreadPoolExecutor, function: Callable[..., R], *args: Any) -> R:
    return await asyncio.get_running_loop().run_in_executor(executor, function, *args)


def _record_batch(freight: Freight[E, T], offered: list[E]) -> Recorded[T]:
    try:
        return freight.record(offered)
    except DatabaseFailure:
        # The next try must not meet the same broken connection.
        _close_database()
        raise


def _close_database() -> None:
    """Close this thread's connection; Django keeps one a thread."""
    database.close()


async def _acknowledge(message: Msg) -> None:
    try:
        await message.ack()
    except nats.errors.Error as error:
        # Not acknowledged is delivered again, and all that is done by then is ignored then.
        logger.debug("ack failed: %s", error)
