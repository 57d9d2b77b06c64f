"""The life of a job beside a model: what its owner reads, whatever NATS loses, repeats, and turns around.

The code that records is the real one, on a real database; the courier between is played: a queue of orders
that may come again or be lost with the stream, and events that arrive in any order, late, twice, in batches.
"""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from events import explanations, outbox
from events.explanations import Depth, ExplainOrder
from events.models import OutboxMessage
from events.outbox import Place
from explanations import actions, attempts, jobs, ordering, results, store
from explanations.attempts import Complete, Drop, Explained, Failed, GiveUp, Policy, Retry
from explanations.models import Computation, ExplanationJob
from explanations.results import Event
from tests.examples import examples
from tests.explanations.ends import completed, explanation, failed, progress
from tests.explanations.orderers import NOW, orderer, predict
from tests.explanations.orderers import order as place_order

DEPTHS = st.sampled_from(["fast", "deep"])
# Which order, what is reported, and how it ends: by twos explained, failed or left, acknowledged or not.
WORKS = st.tuples(
    st.integers(0, 99),
    st.lists(st.sampled_from([0.0, 0.5, 0.9]), min_size=1, max_size=3),
    st.sampled_from([0, 1, 2, 2, 3, 3, 4, 5, 5, 5]),
)
POLICY = Policy(tries=3)
UNFINISHED = Computation.UNFINISHED
SILENCE_S = 10


@dataclass
class Expected:
    """A computation as its readers must see it."""

    depth: Depth
    state: str = "queued"
    progress: tuple[int, float] = (0, 0.0)
    heard_s: int = 0
    # Ids of the jobs that nobody has cancelled.
    wanted: set[uuid.UUID] = field(default_factory=set)


@dataclass
class Order:
    """A message in the queue, and how often a worker has had it."""

    id: uuid.UUID
    body: bytes
    deliveries: int = 0


class LifeCycle(RuleBasedStateMachine):
    """Orders of one account for one prediction, and everything that becomes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.rollback = transaction.atomic()
        self.rollback.__enter__()
        self.now_s = 0
        self.expected: dict[uuid.UUID, Expected] = {}
        self.of_job: dict[uuid.UUID, uuid.UUID] = {}
        self.seen: dict[uuid.UUID, str] = {}
        self.queue: list[Order] = []
        self.on_their_way: list[Event] = []
        self.epoch, self.seq = 1, 0
        # Message ids that the server still knows: what is published again under one of them is dropped.
        self.known: dict[str, int] = {}

    @initialize()
    def begin(self) -> None:
        """Somebody has ordered, and the order is in the queue."""
        predict()
        self.caller = orderer()
        self.order("fast")
        self.sweep(is_noted=True)

    @property
    def now(self) -> datetime:
        """How late it is."""
        return NOW + timedelta(seconds=self.now_s)

    @rule(depth=DEPTHS)
    def order(self, depth: Depth) -> None:
        """Order; what is under way or done is joined."""
        job = place_order(self.caller, depth=depth, now=self.now)
        joined = [
            id_
            for id_, one in self.expected.items()
            if one.depth == depth and one.state in (*UNFINISHED, "done")
        ]
        assert joined in ([], [job.computation_id])
        if not joined:
            assert job.computation_id == job.pk
            self.expected[job.pk] = Expected(depth, heard_s=self.now_s)
        self.expected[job.computation_id].wanted.add(job.pk)
        self.of_job[job.pk] = job.computation_id

    @precondition(lambda self: len(self.of_job) > 2)
    @rule(place=st.integers(0, 99))
    def cancel(self, place: int) -> None:
        """Cancel a job; the computation ends with the last of those who want it."""
        job_id, id_ = list(self.of_job.items())[place % len(self.of_job)]
        one = self.expected[id_]
        is_over = one.state in ("done", "failed") and job_id in one.wanted
        with pytest.raises(ordering.JobFinished) if is_over else contextlib.nullcontext():
            ordering.cancel(job_id=job_id, account_id=self.caller.account_id or 0, now=self.now)
        if is_over:
            return
        one.wanted.discard(job_id)
        if not one.wanted and one.state in UNFINISHED:
            one.state = "cancelled"

    @precondition(lambda self: self.on_their_way)
    @rule(place=st.integers(0, 99))
    def requeue(self, place: int) -> None:
        """Begin anew, under a new id."""
        id_, one = list(self.expected.items())[place % len(self.expected)]
        others = [
            other
            for other in self.expected.values()
            if other is not one and other.depth == one.depth and other.state in (*UNFINISHED, "done")
        ]
        if one.state == "done" or others:
            with pytest.raises(actions.AlreadyDone if one.state == "done" else actions.ComputedElsewhere):
                actions.requeue(computation_id=id_, actor="staff", now=self.now)
            return
        new_id = actions.requeue(computation_id=id_, actor="staff", now=self.now)
        del self.expected[id_]
        self.expected[new_id] = Expected(one.depth, heard_s=self.now_s, wanted=one.wanted)
        self.of_job = {job: new_id if of == id_ else of for job, of in self.of_job.items()}
        self.seen.pop(id_, None)

    @rule(is_noted=st.booleans())
    def sweep(self, is_noted: bool) -> None:
        """Publish what is owed; the process may die before it has noted that."""
        places = []
        for owed in outbox.take_unpublished(before=self.now + timedelta(seconds=1), most=100):
            if owed.msg_id not in self.known:
                self.seq += 1
                self.known[owed.msg_id] = self.seq
                self.queue.append(Order(uuid.UUID(owed.msg_id), owed.payload))
            places.append(Place(owed.msg_id, str(self.epoch), self.known[owed.msg_id]))
        if is_noted:
            outbox.mark_published(places, now=self.now)

    @precondition(lambda self: self.now_s > 10 * self.epoch)
    @rule()
    def lose_the_stream(self) -> None:
        """The server has lost its data, now and then, and begins with an empty queue."""
        self.queue, self.known = [], {}
        self.epoch, self.seq = self.epoch + 1, 0

    @rule()
    def reconcile(self) -> None:
        """Publish again what nobody speaks of and the queue does not hold."""
        silent = results.unheard(silence_s=SILENCE_S, now=self.now, most=100)
        due = {
            id_
            for id_, one in self.expected.items()
            if one.state in UNFINISHED and one.heard_s < self.now_s - SILENCE_S
        }
        assert set(silent) == set(map(str, due))
        held = {str(one.id) for one in self.queue}
        outbox.forget_places(set(silent) - held)
        for lost in set(silent) - held:
            self.known.pop(lost, None)
        results.touch(silent, now=self.now)
        for id_ in due:
            self.expected[id_].heard_s = self.now_s

    @rule(seconds=st.sampled_from([1, 11]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.now_s += seconds

    @rule(works=st.lists(WORKS, min_size=1, max_size=4))
    def work(self, works: list[tuple[int, list[float], int]]) -> None:
        """Workers take orders, one after the other."""
        for one in works:
            if self.queue:
                self.explain(*one)

    def explain(self, place: int, shares: list[float], how: int) -> None:
        """Take an order, report, and end it in one of the ways that there are; or die on the way."""
        held = self.queue[place % len(self.queue)]
        held.deliveries += 1
        order = explanations.decode(held.body, ExplainOrder)
        assert order.job_id == held.id
        self.on_their_way += [progress(held.id, share, attempt=held.deliveries) for share in shares]
        outcomes: list[Any] = [
            Explained(explanation(order.depth), 0.5),
            Failed("It rained."),
            attempts.Cancelled(),
        ]
        if how == 5:  # it dies before it has said how it ended
            return
        action = attempts.decide(outcomes[how // 2], delivery=held.deliveries, policy=POLICY)
        match action:
            case Complete():
                self.on_their_way.append(completed(held.id, order.depth))
            case GiveUp(reason):
                self.on_their_way.append(failed(held.id, reason))
            case Drop() if held.id in self.expected and self.expected[held.id].state in UNFINISHED:
                return  # nobody has cancelled it
            case Retry():
                return
        if how % 2:  # acknowledged; else the acknowledgement is lost, and it comes again
            self.queue.remove(held)

    @precondition(lambda self: self.on_their_way)
    @rule(chosen=st.lists(st.integers(0, 99), min_size=1, max_size=6), keeps=st.booleans())
    def record(self, chosen: list[int], keeps: bool) -> None:
        """Events arrive: some of those on their way, in any order, perhaps to come again."""
        places = [place % len(self.on_their_way) for place in chosen]
        batch = [self.on_their_way[place] for place in places]
        changed = {row.pk: row.state for row in results.apply(batch, now=self.now)}
        before = {id_: (one.state, one.progress) for id_, one in self.expected.items()}
        for event in batch:
            self.expect(event)
        told = {id_ for id_, one in self.expected.items() if before[id_] != (one.state, one.progress)}
        assert told <= set(changed)
        assert all(changed[id_] == self.expected[id_].state for id_ in changed)
        if not keeps:
            self.on_their_way = [one for n, one in enumerate(self.on_their_way) if n not in places]

    def expect(self, event: Event) -> None:
        """What the event makes of its computation: only one that is unfinished changes, and only forward."""
        one = self.expected.get(event.job_id)
        if one is None or one.state not in UNFINISHED:
            return
        one.heard_s = self.now_s
        if isinstance(event, explanations.ExplanationProgress):
            told = (event.attempt, event.progress)
            if told > one.progress or (told == one.progress and one.state == "queued"):
                one.state, one.progress = "running", told
        else:
            one.state = "done" if isinstance(event, explanations.ExplanationCompleted) else "failed"

    @invariant()
    def owners_read_what_the_model_says(self) -> None:
        """The state of each job, which never goes back, and an explanation exactly where it is done."""
        for job in jobs.find_all(list(self.of_job)):
            one = self.expected[self.of_job[job.pk]]
            is_cancelled = job.pk not in one.wanted
            assert job.state == ("cancelled" if is_cancelled else one.state)
            assert (job.ended_at is None) == (job.state in UNFINISHED)
            self.check_row(job.computation, one)
        assert Computation.objects.count() == len(self.expected)

    def check_row(self, row: Computation, one: Expected) -> None:
        """A computation, as it is read."""
        assert row.state == one.state
        if one.state == "running":
            assert (row.attempts, row.progress) == one.progress
        assert (row.finished_at is None) == (one.state in UNFINISHED)
        assert (row.result is None) == (one.state != "done")
        if one.state == "done":
            assert store.document_of(row).depth == one.depth
        was = self.seen.get(row.pk, one.state)
        assert was == one.state or was in UNFINISHED
        assert (was, one.state) != ("running", "queued")
        self.seen[row.pk] = one.state

    @invariant()
    def what_is_accepted_and_not_finished_is_owed_or_queued(self) -> None:
        """No accepted job is lost: its order is in the outbox until the end, and no longer."""
        unfinished = {str(id_) for id_, one in self.expected.items() if one.state in UNFINISHED}
        assert set(OutboxMessage.objects.values_list("msg_id", flat=True)) == unfinished

    def teardown(self) -> None:
        """Give the database back as it was."""
        transaction.set_rollback(True)
        self.rollback.__exit__(None, None, None)


@pytest.mark.django_db
@pytest.mark.usefixtures("newest_store")
def test_whatever_happens_on_the_way_a_job_is_read_as_it_stands_and_ends_once() -> None:
    run_state_machine_as_test(cast(Any, LifeCycle), settings=examples(15, steps=30))
    assert not ExplanationJob.objects.exists()
