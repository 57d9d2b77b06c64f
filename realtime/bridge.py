"""The bridge: JetStream -> record -> Redis -> channel layer -> ack.

The rules it keeps:
1. A message is acknowledged only when it is in the record, in Redis, and told to every hub. What dies
   before that is delivered again, and every step may be repeated.
2. Two stages run side by side: recording and telling. With Redis away the record goes on filling, up to
   `MAX_UNTOLD` messages or `MAX_UNTOLD_BYTES`; then pulling stops and JetStream keeps the rest.
3. Order per symbol is the order of the stream: both stages handle one batch at a time.
4. A message that does not fit goes to the dead letters with the reason and never stops the flow.
5. While a stage waits for its store, the messages it holds are kept alive at the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import nats.errors
from channels.layers import get_channel_layer
from django.db import Error as DatabaseFailure
from django.db import connection as database
from nats.aio.msg import Msg
from nats.js.errors import Error as JetStreamError
from redis.exceptions import RedisError

from events import dead_letters, prediction_updated, streams
from events.connection import Connection, ensure_stream
from events.prediction_updated import PayloadRefused
from events.pulling import PullConsumer, Pulled
from observability.outages import Outage
from observability.retries import until_it_works
from predictions import documents, ingest
from predictions.documents import PredictionDocument
from predictions.newest import NewestUnavailable
from realtime import batches

logger = logging.getLogger(__name__)

DURABLE = "gateway-bridge"
MAX_UNTOLD = 10_000
MAX_UNTOLD_BYTES = 128 << 20
_STOP_TIMEOUT_S = 8.0
_STUCK_AFTER_S = 2.0
_BEAT_S = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A batch on its way from the record to the readers: what is to be told, and what to acknowledge."""

    told: list[PredictionDocument]
    pulled: list[Pulled]
    size_bytes: int


class StoreStuck(Exception):
    """A store did not even answer the end: the process must go without waiting for its thread."""


class Bridge:
    """One bridge process. Several may run: they share the durable consumer."""

    def __init__(
        self,
        connection: Connection,
        *,
        symbol_pattern: re.Pattern[str],
        batch_size: int,
        linger_s: float,
        ack_wait_s: float,
    ) -> None:
        self._connection = connection
        self._symbol_pattern = symbol_pattern
        self._batch_size = batch_size
        self._linger_s = linger_s
        self._ack_wait_s = ack_wait_s
        self._consumer = PullConsumer(
            connection,
            streams.PREDICTIONS,
            durable=DURABLE,
            credit=2 * batch_size,
            ack_wait_s=ack_wait_s,
            max_ack_pending=MAX_UNTOLD + 2 * batch_size,
        )
        self._id = uuid.uuid4().hex
        self._batches_told = 0
        # What was taken and is not acknowledged yet, by its place in the stream.
        self._held: dict[tuple[str, int], Pulled] = {}
        self._database_outage = Outage("the database")
        self._layer_outage = Outage("Redis (channel layer)")
        self._untold: asyncio.Queue[Recorded] = asyncio.Queue()
        self._untold_messages = 0
        self._untold_bytes = 0
        self._room = asyncio.Event()
        # One thread a stage: Django's connection and the order of batches both want a single owner.
        self._recording = ThreadPoolExecutor(1, thread_name_prefix="record")
        self._telling = ThreadPoolExecutor(1, thread_name_prefix="newest")
        self._layer = get_channel_layer()

    async def run(self, stop: asyncio.Event) -> None:
        """Bridge until `stop` is set, then finish what was taken (8 s at most).

        Raises `ConnectionError` when the NATS connection is closed for good, and whatever a stage
        could not expect: the supervisor starts a new process then.
        """
        taking = asyncio.create_task(self._take_and_record())
        telling = asyncio.create_task(self._tell_and_acknowledge())
        keeping = asyncio.create_task(self._keep_alive())
        beating = asyncio.create_task(self._beat())
        stopping = asyncio.create_task(stop.wait())
        closing = asyncio.create_task(self._connection.closed.wait())
        tasks: tuple[asyncio.Task[Any], ...] = (taking, telling, keeping, beating, stopping, closing)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in (taking, telling, keeping, beating):
                if task.done():
                    task.result()
            if closing.done() and not stop.is_set():
                raise ConnectionError("the NATS connection was closed")
            await self._finish(taking)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
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
        """Close the database connection and end both threads; raises `StoreStuck` if one is in a call."""
        for executor, last in ((self._recording, _close_database), (self._telling, _do_nothing)):
            try:
                await asyncio.wait_for(_in_thread(executor, last), _STUCK_AFTER_S)
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
            fitting, kept = await self._decode(pulled)
            told = await self._record(fitting, kept)
            size_bytes = sum(len(one.message.data) for one in pulled)
            for one in pulled:
                one.message.data = b""
            await self._hand_over(Recorded(told, pulled, size_bytes))

    async def _hand_over(self, batch: Recorded) -> None:
        """Queue `batch` for telling, and wait while there is too much of it."""
        self._untold_messages += len(batch.pulled)
        self._untold_bytes += batch.size_bytes
        self._untold.put_nowait(batch)
        while self._untold_messages >= MAX_UNTOLD or self._untold_bytes >= MAX_UNTOLD_BYTES:
            self._room.clear()
            await self._room.wait()

    async def _decode(self, pulled: Sequence[Pulled]) -> tuple[list[PredictionDocument], list[Pulled]]:
        """The documents of the messages that fit, with those messages; the others are dead letters."""
        fitting: list[PredictionDocument] = []
        kept: list[Pulled] = []
        for one in pulled:
            try:
                event = prediction_updated.decode(one.message.data, symbol_pattern=self._symbol_pattern)
            except PayloadRefused as refused:
                await dead_letters.bury(self._connection, one, str(refused))
                continue
            fitting.append(documents.from_event(event, seq=one.seq, epoch=one.epoch))
            kept.append(one)
        return fitting, kept

    async def _record(
        self, offered: list[PredictionDocument], pulled: list[Pulled]
    ) -> list[PredictionDocument]:
        """Record the batch; returns what is to be told: everything but repetitions and refusals."""
        recorded = await until_it_works(
            lambda: _in_thread(self._recording, _record_batch, offered),
            DatabaseFailure,
            outage=self._database_outage,
        )
        for index, reason in recorded.refused.items():
            await dead_letters.bury(self._connection, pulled[index], reason)
        return [document for document, own in zip(offered, recorded.own, strict=True) if own]

    async def _tell_and_acknowledge(self) -> None:
        while True:
            batch = await self._untold.get()
            if batch.told:
                await self._tell(batch.told)
            for one in batch.pulled:
                del self._held[one.place]
                if self._consumer.is_alive(one):
                    await _acknowledge(one.message)
            self._untold_messages -= len(batch.pulled)
            self._untold_bytes -= batch.size_bytes
            self._room.set()
            self._untold.task_done()

    async def _tell(self, told: list[PredictionDocument]) -> None:
        await until_it_works(  # the store logs its own outages
            lambda: _in_thread(self._telling, ingest.publish_newest, told), NewestUnavailable
        )
        message = batches.encode(self._id, self._batches_told + 1, told)
        await until_it_works(
            lambda: self._layer.group_send(batches.GROUP, message),
            RedisError,
            OSError,
            outage=self._layer_outage,
        )
        self._batches_told += 1

    async def _beat(self) -> None:
        """Repeat the number of the last batch every second: a hub that has lost it hears of it."""
        while True:
            await asyncio.sleep(_BEAT_S)
            with contextlib.suppress(RedisError, OSError):  # telling has logged the outage
                await self._layer.group_send(batches.GROUP, batches.encode(self._id, self._batches_told, []))

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


async def _in_thread(executor: ThreadPoolExecutor, function: Callable[..., T], *args: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(executor, function, *args)


def _record_batch(offered: list[PredictionDocument]) -> ingest.Recorded:
    try:
        return ingest.record_batch(offered)
    except DatabaseFailure:
        # The next try must not meet the same broken connection.
        _close_database()
        raise


def _close_database() -> None:
    """Close this thread's connection; Django keeps one a thread."""
    database.close()


def _do_nothing() -> None:
    """Comes back when the thread is free."""


async def _acknowledge(message: Msg) -> None:
    try:
        await message.ack()
    except nats.errors.Error as error:
        # Not acknowledged is delivered again, and all that is done by then is ignored then.
        logger.debug("ack failed: %s", error)
