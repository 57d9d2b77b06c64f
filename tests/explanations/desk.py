"""The gateway's side of the explain queue, played by the tests: it orders and hears what comes of it."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import TypeVar

import nats.errors
from nats.aio.msg import Msg
from nats.js.api import RawStreamMsg
from nats.js.errors import Error as JetStreamError
from nats.js.errors import NotFoundError

from events import explanations, streams
from events.connection import Connection, connect, ensure_stream
from events.explanations import (
    ExplainOrder,
    ExplanationCompleted,
    ExplanationFailed,
    ExplanationProgress,
)
from explanations.attempts import Policy
from explanations.children import Limits
from explanations.worker import DURABLE, ExplainWorker
from tests.explanations.orders import make_order

M = TypeVar("M", ExplanationProgress, ExplanationCompleted, ExplanationFailed)
EXPLAINER = "tests.explanations.explainers.Versatile"
REQUEST_ID = "request-of-the-test"


class Desk:
    """Hears every event from the moment of its making."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._heard: list[Msg] = []
        self._changed = asyncio.Event()

    async def open(self) -> None:
        """Make the streams, and listen."""
        for stream in (streams.JOBS, streams.EXPLANATIONS, streams.DEAD_LETTERS):
            await ensure_stream(self.connection.jetstream, stream)
        await self.connection.client.subscribe("event.explanation.*", cb=self._hear)
        await self.connection.client.flush()

    async def give(self, order: ExplainOrder) -> ExplainOrder:
        """Put `order` into the queue."""
        await self.give_bytes(explanations.encode(order))
        return order

    async def order(self, behaviour: str = "good", **features: str) -> ExplainOrder:
        """Put an order into the queue that is explained by `behaviour`."""
        return await self.give(make_order(behaviour, features=features))

    async def give_bytes(self, payload: bytes) -> None:
        """Put anything into the queue."""
        headers = {streams.REQUEST_ID_HEADER: REQUEST_ID}
        await self.connection.jetstream.publish(streams.EXPLAIN, payload, headers=headers)

    async def cancel(self, job_id: uuid.UUID | str) -> None:
        """Tell every worker; returns when the server has it."""
        await self.connection.client.publish(streams.EXPLAIN_CANCELLED, str(job_id).encode())
        await self.connection.client.flush()

    async def hear(self, kind: type[M], order: ExplainOrder, *, timeout_s: float = 60.0) -> M:
        """Wait for the first event of `kind` about `order`."""
        async with asyncio.timeout(timeout_s):
            while True:
                self._changed.clear()
                if found := self.heard(kind, order):
                    return found[0]
                try:
                    await asyncio.wait_for(self._changed.wait(), 0.5)
                except TimeoutError:
                    if found := await self._missed(kind, order):
                        return found[0]

    async def completed(self, order: ExplainOrder) -> ExplanationCompleted:
        """Wait until `order` is explained."""
        return await self.hear(ExplanationCompleted, order)

    async def failed(self, order: ExplainOrder) -> ExplanationFailed:
        """Wait until `order` has failed."""
        return await self.hear(ExplanationFailed, order)

    async def pid(self, order: ExplainOrder) -> int:
        """Wait until `order` runs; its explainer tells its process in its first report."""
        return int((await self.hear(ExplanationProgress, order)).stage.split()[1])

    def heard(self, kind: type[M], order: ExplainOrder) -> list[M]:
        """All events of `kind` about `order` until now."""
        events = [explanations.decode(one.data, kind) for one in self._heard if one.subject == _subject(kind)]
        return [one for one in events if one.job_id == order.job_id]

    def ended_jobs(self) -> set[str]:
        """The ids (hexadecimal) of the jobs that are explained, as far as was heard."""
        completed = [one for one in self._heard if one.subject == streams.EXPLANATION_COMPLETED]
        return {explanations.decode(one.data, ExplanationCompleted).job_id.hex for one in completed}

    async def count_orders(self) -> int:
        """How many orders nobody has acknowledged."""
        return int((await self.connection.jetstream.stream_info(streams.JOBS.name)).state.messages)

    async def is_done(self) -> bool:
        """True when every order is acknowledged."""
        return await self.count_orders() == 0

    async def count_requests(self) -> int:
        """How many pull requests of workers are open."""
        with contextlib.suppress(NotFoundError):
            info = await self.connection.jetstream.consumer_info(streams.JOBS.name, DURABLE)
            return info.num_waiting or 0
        return 0

    async def stored(self, kind: type[M]) -> list[M]:
        """The events of `kind` that the stream holds."""
        messages = await self._read(streams.EXPLANATIONS)
        return [
            explanations.decode(one.data or b"", kind) for one in messages if one.subject == _subject(kind)
        ]

    async def headers_of(self, kind: type[M]) -> list[dict[str, str]]:
        """The headers of the events of `kind` that the stream holds."""
        messages = await self._read(streams.EXPLANATIONS)
        return [one.headers or {} for one in messages if one.subject == _subject(kind)]

    async def dead_letters(self) -> dict[bytes, str]:
        """Payload and reason of every dead letter."""
        return {
            one.data or b"": (one.headers or {})[streams.DEAD_LETTER_REASON_HEADER]
            for one in await self._read(streams.DEAD_LETTERS)
        }

    async def _missed(self, kind: type[M], order: ExplainOrder) -> list[M]:
        """What was stored while this desk was cut off."""
        with contextlib.suppress(TimeoutError, nats.errors.Error, JetStreamError):
            return [one for one in await self.stored(kind) if one.job_id == order.job_id]
        return []

    async def _read(self, stream: streams.Stream) -> list[RawStreamMsg]:
        state = (await self.connection.jetstream.stream_info(stream.name)).state
        return [
            await self.connection.jetstream.get_msg(stream.name, seq)
            for seq in range(state.first_seq, state.last_seq + 1)
            if state.messages
        ]

    async def _hear(self, msg: Msg) -> None:
        self._heard.append(msg)
        self._changed.set()


def _subject(kind: type[M]) -> str:
    subjects: dict[type, str] = {
        ExplanationProgress: streams.EXPLANATION_PROGRESS,
        ExplanationCompleted: streams.EXPLANATION_COMPLETED,
        ExplanationFailed: streams.EXPLANATION_FAILED,
    }
    return subjects[kind]


@contextlib.asynccontextmanager
async def open_desk(url: str) -> AsyncIterator[Desk]:
    """A desk at the server of `url`."""
    connection = await connect(url, name="tests")
    desk = Desk(connection)
    await desk.open()
    try:
        yield desk
    finally:
        await connection.drain()


@contextlib.asynccontextmanager
async def working(
    url: str,
    *,
    concurrency: int = 2,
    tries: int = 3,
    timeout_s: float = 60.0,
    ack_wait_s: float = 10.0,
    first_delay_s: float = 0.1,
) -> AsyncIterator[ExplainWorker]:
    """A worker in this process, ended in good order."""
    connection = await connect(url, name="explain_worker")
    worker = ExplainWorker(
        connection,
        Limits(EXPLAINER, timeout_s, 512),
        policy=Policy(tries, first_delay_s=first_delay_s),
        concurrency=concurrency,
        ack_wait_s=ack_wait_s,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await running
        await connection.drain()
