"""The worker: JetStream order -> explainer -> event of its end -> ack. It knows NATS, and no database.

The rules it keeps:
1. An order is acknowledged only when its end is stored in the stream of events; what dies before that comes
   again, to any worker, and every step may be repeated.
2. What an explainer does costs its own order alone: each slot has a process (`explanations.children`).
3. An order that is held, waiting or running, is kept alive at the server; at most 2 x concurrency are held.
4. Messages with one job id are one piece of work here: what comes again while it is held joins it.
5. Decisions are made in `explanations.attempts` and told to the server by `explanations.settling`.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
import uuid
from collections.abc import Coroutine
from typing import Any

from nats.aio.msg import Msg

from events import explanations, streams
from events.connection import Connection, ensure_stream
from events.explanations import ExplainOrder
from events.prediction_updated import PayloadRefused
from events.pulling import PullConsumer, Pulled
from explanations import attempts
from explanations.attempts import (
    Cancelled,
    Explained,
    Failed,
    Interrupted,
    Outcome,
    Policy,
    RecentIds,
)
from explanations.children import ExplainerFailed, Limits, Slot
from explanations.settling import NATS_FAILURES, Delivered, Settler
from observability import request_context, tracing
from observability.retries import until_it_works

logger = logging.getLogger(__name__)

DURABLE = "explain-worker"
GRACE_S = 10.0
_LET_GO_S = 1.0
# Orders that rest before their next try count as well, those of all workers together.
_MAX_ACK_PENDING = 10_000
_REMEMBERED_CANCELS = 10_000


class Work:
    """An order that is held here."""

    def __init__(self, delivered: Delivered) -> None:
        self.delivered = delivered
        self.running = False
        self.stopped: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def stop(self, outcome: Outcome) -> None:
        """End the computation with `outcome`, unless it has ended."""
        if not self.stopped.done():
            self.stopped.set_result(outcome)


class Tasks:
    """Tasks in the background; `failure` gets the exception of the first that nobody expected to fail."""

    def __init__(self) -> None:
        self.running: set[asyncio.Task[None]] = set()
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` beside everything else."""
        task = asyncio.create_task(work)
        self.running.add(task)
        task.add_done_callback(self._on_end)
        return task

    async def end(self) -> None:
        """Cancel what runs, and wait for it."""
        while self.running:
            for task in self.running:
                task.cancel()
            await asyncio.wait(self.running)
        if not self.failure.cancel() and not self.failure.cancelled():
            self.failure.exception()  # told by now, or of no interest any more

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.failure.done():
            self.failure.set_exception(error)


class ExplainWorker:
    """One worker process with `concurrency` slots. Any number may run: they share the durable consumer."""

    def __init__(
        self, connection: Connection, limits: Limits, *, policy: Policy, concurrency: int, ack_wait_s: float
    ) -> None:
        self._connection = connection
        self._ack_wait_s = ack_wait_s
        self._settler = Settler(connection, policy)
        self._slots = [Slot(limits) for _ in range(concurrency)]
        self._idle: asyncio.Queue[Slot] = asyncio.Queue()
        self._one_is_ready = asyncio.Event()
        # A task for each message that is held, but for those that have joined another.
        self._serving = Tasks()
        self._preparing = Tasks()
        self._held: dict[uuid.UUID, Work] = {}
        self._cancelled = RecentIds(_REMEMBERED_CANCELS)
        self._draining = False
        self._credit = 2 * concurrency
        self._consumer = PullConsumer(
            connection,
            streams.JOBS,
            durable=DURABLE,
            credit=self._credit,
            ack_wait_s=ack_wait_s,
            max_ack_pending=_MAX_ACK_PENDING,
            busy=lambda: len(self._serving.running),
        )

    @property
    def held(self) -> int:
        """How many orders wait or run here."""
        return len(self._held)

    async def run(self, stop: asyncio.Event) -> None:
        """Explain until `stop` is set, then let what runs end (`GRACE_S` at most).

        Raises `ConnectionError` when the NATS connection is closed for good, `ExplainerUnusable` when the
        explainer does not start, and whatever nobody expected. No child is left behind.
        """
        for slot in self._slots:
            self._preparing.start(self._prepare(slot))
        taking = asyncio.create_task(self._take())
        keeping = asyncio.create_task(self._keep_alive())
        stopping = asyncio.create_task(stop.wait())
        closing = asyncio.create_task(self._connection.closed.wait())
        tasks: tuple[asyncio.Task[Any], ...] = (taking, keeping, stopping, closing)
        failures = (self._serving.failure, self._preparing.failure)
        try:
            await asyncio.wait((*tasks, *failures), return_when=asyncio.FIRST_COMPLETED)
            for future in (taking, keeping, *failures):
                if future.done():
                    future.result()
            if closing.done() and not stop.is_set():
                raise ConnectionError("the NATS connection was closed")
            await self._finish(taking)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._serving.end()
            await self._preparing.end()
            await asyncio.gather(*(slot.close() for slot in self._slots))

    async def _finish(self, taking: asyncio.Task[None]) -> None:
        """Take no more, give back what has not begun, wait for what runs; then give that back, too."""
        self._draining = True
        await self._consumer.stop()
        self._one_is_ready.set()
        for work in self._held.values():
            if not work.running:
                work.stop(Interrupted())
        await asyncio.wait({taking}, timeout=_LET_GO_S)
        for timeout_s in (GRACE_S, _LET_GO_S):
            if self._serving.running:
                await asyncio.wait(self._serving.running, timeout=timeout_s)
            for work in self._held.values():
                told = {"request_id": work.delivered.request_id}
                logger.warning("job %s is not waited for any longer", work.delivered.order.job_id, extra=told)
                work.stop(Interrupted())

    async def _take(self) -> None:
        for stream in (streams.EXPLANATIONS, streams.DEAD_LETTERS):
            ensuring = functools.partial(ensure_stream, self._connection.jetstream, stream)
            await until_it_works(ensuring, *NATS_FAILURES)
        await self._connection.client.subscribe(streams.EXPLAIN_CANCELLED, cb=self._on_cancelled)
        await self._one_is_ready.wait()
        while received := await self._consumer.next_batch(most=self._credit, linger_s=0):
            for pulled in received:
                self._accept(pulled)

    def _accept(self, pulled: Pulled) -> None:
        """Begin what `pulled` asks for."""
        try:
            order = explanations.decode(pulled.message.data, ExplainOrder)
        except PayloadRefused as refused:
            self._serve(self._settler.bury(pulled, str(refused)))
            return
        if order.job_id in self._cancelled:
            self._serve(self._settler.acknowledge([pulled]))
        elif order.job_id in self._held:
            self._held[order.job_id].delivered.join(pulled)
        elif self._draining:
            self._serve(self._settler.give_back([pulled], 0.0))
        else:
            offered = (pulled.message.headers or {}).get(streams.REQUEST_ID_HEADER)
            work = Work(Delivered(order, pulled, request_context.accept_or_make(offered)))
            self._held[order.job_id] = work
            self._serve(self._explain(work))

    def _serve(self, serving: Coroutine[Any, Any, None]) -> None:
        self._serving.start(serving).add_done_callback(lambda _: self._consumer.wake())

    async def _on_cancelled(self, msg: Msg) -> None:
        try:
            job_id = uuid.UUID(msg.data.decode("ascii").strip())
        except ValueError:
            logger.warning("%s with %r, which is no job id", msg.subject, msg.data[:64])
            return
        self._cancelled.add(job_id)
        if job_id in self._held:
            self._held[job_id].stop(Cancelled())

    async def _explain(self, work: Work) -> None:
        delivered = work.delivered
        request_context.bind(delivered.request_id)
        carried = tracing.carried_in(delivered.messages[0].message.headers)
        told = {"job_id": str(delivered.order.job_id), "depth": delivered.order.depth}
        try:
            with tracing.span("explain", kind="CONSUMER", carried=carried, attributes=told):
                await self._settler.settle(delivered, await self._find_outcome(work))
        finally:
            del self._held[delivered.order.job_id]

    async def _find_outcome(self, work: Work) -> Outcome:
        """What the explainer makes of it, or what stops it before."""
        computing = asyncio.create_task(self._compute(work))
        try:
            await asyncio.wait((computing, work.stopped), return_when=asyncio.FIRST_COMPLETED)
            return computing.result() if computing.done() else work.stopped.result()
        finally:
            computing.cancel()
            await asyncio.wait((computing,))

    async def _compute(self, work: Work) -> Outcome:
        """Wait for a slot, and explain there. Cancelled, it kills the child that explains."""
        order = work.delivered.order
        slot = await self._idle.get()
        work.running = True
        began_at = time.monotonic()
        try:
            body = await slot.explain(order, functools.partial(self._settler.report, work.delivered))
            return Explained(attempts.judge(body, order), time.monotonic() - began_at)
        except ExplainerFailed as failed:
            logger.warning("job %s: %s", order.job_id, failed.story)
            return Failed(str(failed))
        except PayloadRefused as refused:
            logger.warning("job %s: the explanation does not fit: %s", order.job_id, refused)
            return Failed(f"the explanation does not fit: {refused}")
        finally:
            self._preparing.start(self._prepare(slot))

    async def _prepare(self, slot: Slot) -> None:
        """Let `slot` take the next order, as soon as it can."""
        if not self._draining:
            await slot.prepare()
            self._idle.put_nowait(slot)
            self._one_is_ready.set()

    async def _keep_alive(self) -> None:
        """Tell the server every third of the ack wait that held orders are being worked on."""
        while True:
            await asyncio.sleep(self._ack_wait_s / 3)
            for work in list(self._held.values()):
                alive = [one for one in work.delivered.messages if self._consumer.is_alive(one)]
                await self._settler.keep_alive(alive)
