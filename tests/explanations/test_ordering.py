"""Orders and their end: computed once, counted exactly, owed to NATS; also by many threads at once."""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from typing import Any

import msgspec
import pytest
import redis
from django.db import OperationalError
from django.utils import timezone
from prometheus_client import REGISTRY
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.callers import Caller
from events import explanations, outbox, streams
from events.explanations import ExplainOrder
from events.models import OutboxMessage
from events.outbox import Outgoing
from explanations import ordering, pinning, results
from explanations.models import Computation, ExplanationJob, IdempotencyKey
from predictions import documents, reads
from predictions.reads import NoStoreReachable
from tests.accounts.together import race
from tests.explanations.ends import apply_completed, completed, failed, progress
from tests.explanations.orderers import (
    NO_JOB,
    NOW,
    cancel,
    computation,
    order,
    orderer,
    predict,
    repeatable,
)

pytestmark = pytest.mark.usefixtures("newest_store")
once = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture
def caller() -> Caller:
    """Somebody who orders."""
    predict()
    return orderer()


@once
def test_the_first_order_makes_the_computation_and_owes_its_message(
    caller: Caller,
    handed_over: list[Outgoing],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        job = order(caller)
        assert handed_over == []
    assert (job.pk, job.state) == (job.computation_id, "queued")
    assert (job.account_id, job.key_id, job.ordered_by) == (caller.account_id, caller.key_id, caller.name)
    [message] = OutboxMessage.objects.all()
    assert (message.msg_id, message.subject) == (str(job.pk), streams.EXPLAIN)
    assert message.headers == {"X-Request-ID": "request-1"}
    sent = explanations.decode(bytes(message.payload), ExplainOrder)
    assert (sent.job_id, sent.depth, sent.prediction) == (job.pk, "fast", pinning.pin_newest("AAPL"))
    assert sent.prediction.features == {"momentum_21d": 0.04}
    assert [one.msg_id for one in handed_over] == [str(job.pk)]


@once
def test_the_same_order_joins_while_it_is_queued_running_or_done(caller: Caller) -> None:
    first = order(caller)
    joined = [order(caller)]
    results.apply([progress(first.pk, 0.5)], now=NOW)
    joined.append(order(orderer(of="another")))
    results.apply([completed(first.pk)], now=NOW)
    joined.append(order(caller))
    assert {job.computation_id for job in joined} == {first.pk}
    assert [job.state for job in joined] == ["queued", "running", "done"]
    assert len({first.pk, *(job.pk for job in joined)}) == 4
    assert Computation.objects.count() == 1


@once
def test_another_depth_symbol_model_or_time_is_another_computation(caller: Caller) -> None:
    first = order(caller)
    predict("MSFT")
    others = [order(caller, depth="deep"), order(caller, "MSFT")]
    predict(model_version="m2", seq=2)
    others.append(order(caller))
    predict(model_version="m2", seq=3)
    others.append(order(caller))
    assert len({job.computation_id for job in (first, *others)}) == 5
    assert OutboxMessage.objects.count() == 5


@once
def test_what_has_failed_or_was_cancelled_is_computed_anew(caller: Caller) -> None:
    first = order(caller)
    results.apply([failed(first.pk)], now=NOW)
    second = order(caller)
    cancel(second, caller)
    third = order(caller)
    assert len({first.pk, second.pk, third.pk}) == 3
    assert [computation(job).state for job in (first, second, third)] == ["failed", "cancelled", "queued"]
    assert [one.msg_id for one in OutboxMessage.objects.all()] == [str(third.pk)]


@once
def test_the_budget_counts_unfinished_jobs_of_the_account_alone(caller: Caller) -> None:
    jobs = [order(caller, most=2), order(caller, most=2)]
    with pytest.raises(ordering.TooManyJobs):
        order(caller, most=2)
    with pytest.raises(ordering.TooManyJobs):
        order(caller, depth="deep", most=2, repeatable=repeatable())
    assert (Computation.objects.count(), IdempotencyKey.objects.count()) == (1, 0)
    order(orderer(of="another"), most=2)
    cancel(jobs[1], caller)
    order(caller, most=2)
    results.apply([completed(jobs[0].pk)], now=NOW)
    order(caller, most=0)  # it is done: nothing is in flight


@once
def test_a_prediction_that_somebody_else_wrote_to_redis_is_looked_up_in_the_record(
    redis_client: redis.Redis,
) -> None:
    document = predict(seq=9)
    foreign = msgspec.structs.replace(document, seq=None, epoch=None, predicted_price=9.0, features=None)
    redis_client.set("pred:AAPL", documents.encode(foreign))
    assert pinning.pin_newest("AAPL").predicted_price == document.predicted_price
    unknown = msgspec.structs.replace(foreign, model_version="theirs", timestamp=NOW.replace(second=30))
    redis_client.set("pred:AAPL", documents.encode(unknown))
    with pytest.raises(pinning.NothingToExplain, match="never recorded"):
        pinning.pin_newest("AAPL")
    with pytest.raises(pinning.NothingToExplain, match="no prediction"):
        pinning.pin_newest("ZZZ")


@once
def test_a_feature_that_the_database_made_an_integer_of_is_a_number_again() -> None:
    predict(features={"huge": 1e22, "whole": 3, "yes": True})
    features = pinning.pin_newest("AAPL").features
    assert features == {"huge": 1e22, "whole": 3, "yes": True}
    assert features is not None
    assert isinstance(features["huge"], float)
    assert order(orderer()).computation.prediction["features"]["huge"] == 1e22


@once
def test_nothing_is_half_done_when_the_database_goes_away_in_between(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(outbox, "promise", fail)
    with pytest.raises(OperationalError):
        order(caller, repeatable=repeatable())
    for kind in (Computation, ExplanationJob, IdempotencyKey, OutboxMessage):
        assert not kind.objects.exists()


@once
def test_nothing_can_be_pinned_while_no_store_is_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise NoStoreReachable

    monkeypatch.setattr(reads, "newest_predictions", fail)
    with pytest.raises(NoStoreReachable):
        pinning.pin_newest("AAPL")


@once
def test_cancelling_the_last_job_stops_the_computation_and_tells_the_workers(
    caller: Caller,
    handed_over: list[Any],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    first, second = order(caller), order(orderer(of="another"))
    counted = {"outcome": "cancelled", "depth": first.computation.depth}
    before = REGISTRY.get_sample_value("pgw_jobs_ended_total", counted) or 0.0
    with django_capture_on_commit_callbacks(execute=True):
        cancel(first, caller)
        cancel(first, caller)
    assert (computation(first).state, handed_over) == ("queued", [])
    assert OutboxMessage.objects.count() == 1
    with django_capture_on_commit_callbacks(execute=True):
        ordering.cancel(job_id=second.pk, account_id=second.account_id, now=NOW)
        ordering.cancel(job_id=second.pk, account_id=second.account_id, now=NOW)
    assert handed_over == [(streams.EXPLAIN_CANCELLED, str(first.pk).encode())]
    assert REGISTRY.get_sample_value("pgw_jobs_ended_total", counted) == before + 1
    assert (computation(first).state, computation(first).finished_at) == ("cancelled", NOW)
    assert not OutboxMessage.objects.exists()


@once
def test_what_has_ended_cannot_be_cancelled_and_nobody_cancels_anothers(caller: Caller) -> None:
    jobs = [order(caller), order(caller), order(caller, depth="deep")]
    cancel(jobs[1], caller)
    results.apply([completed(jobs[0].pk), failed(jobs[2].pk)], now=timezone.now())
    for ended in (jobs[0], jobs[2]):
        with pytest.raises(ordering.JobFinished):
            cancel(ended, caller)
    cancel(jobs[1], caller)  # it was cancelled before the end
    assert computation(jobs[1]).state == "done"
    for id_ in (jobs[0].pk, NO_JOB):
        with pytest.raises(ordering.UnknownJob):
            ordering.cancel(job_id=id_, account_id=orderer(of="another").account_id or 0, now=NOW)


@committed
def test_fifty_identical_orders_at_once_are_one_computation_and_fifty_jobs() -> None:
    predict()
    callers = itertools.cycle([orderer(of="one"), orderer(of="two"), orderer(of="three")])
    assert race(lambda: order(next(callers)), 50) == {"ExplanationJob": 50}
    assert (Computation.objects.count(), ExplanationJob.objects.count()) == (1, 50)
    [message] = OutboxMessage.objects.all()
    assert ExplanationJob.objects.filter(pk=uuid.UUID(message.msg_id)).exists()


@committed
def test_the_budget_is_exact_under_parallel_orders() -> None:
    for seq, symbol in enumerate(("AAPL", "MSFT", "IBM"), start=1):
        predict(symbol, seq)
    caller = orderer()
    wanted = itertools.cycle(itertools.product(("AAPL", "MSFT", "IBM"), ("fast", "deep")))

    def order_one() -> Any:
        symbol, depth = next(wanted)
        return order(caller, symbol, depth, most=7)  # type: ignore[arg-type]

    assert race(order_one, 24) == {"ExplanationJob": 7, "TooManyJobs": 17}
    assert ExplanationJob.objects.count() == 7
    assert OutboxMessage.objects.count() == Computation.objects.count()


@committed
def test_an_order_that_joins_while_the_last_job_is_cancelled_is_not_lost() -> None:
    predict()
    one, other = orderer(of="one"), orderer(of="two")
    for _ in range(10):
        first = order(one)
        turns = itertools.count()

        def either(first: ExplanationJob = first, turns: Any = turns) -> Any:
            return cancel(first, one) if next(turns) == 0 else order(other)

        assert race(either, 2) == {"NoneType": 1, "ExplanationJob": 1}
        second = ExplanationJob.objects.get(account_id=other.account_id or 0, cancelled_at=None)
        # Either it joined in time and the computation goes on, or it has a new one of its own.
        assert computation(second).state == "queued"
        assert [m.msg_id for m in OutboxMessage.objects.all()] == [str(second.computation_id)]
        cancel(second, other)


@committed
def test_the_end_and_a_cancellation_at_once_leave_one_of_the_two() -> None:
    predict()
    caller = orderer()
    seen: Counter[str] = Counter()
    for _ in range(10):
        job = order(caller)
        turns = itertools.count()

        def either(job: ExplanationJob = job, turns: Any = turns) -> Any:
            return apply_completed(completed(job.pk), NOW) if next(turns) else cancel(job, caller)

        race(either, 2)
        row = computation(job)
        seen[row.state] += 1
        assert (row.result is not None) == (row.state == "done")
        assert ExplanationJob.objects.get(pk=job.pk).ended_at == NOW
        assert not OutboxMessage.objects.exists()
        Computation.objects.all().delete()
    assert set(seen) <= {"done", "cancelled"}
