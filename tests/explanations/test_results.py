"""What workers say changes an unfinished row once, whatever comes twice, late or out of order."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from events.explanations import Statement
from events.models import OutboxMessage
from explanations import results, store
from explanations.models import Computation, ExplanationJob
from tests.explanations.ends import (
    apply_completed,
    apply_failed,
    apply_progress,
    completed,
    explanation,
    failed,
    progress,
)
from tests.explanations.orderers import NO_JOB, NOW, cancel, computation, order, orderer, predict

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("newest_store")]


@pytest.fixture
def job() -> ExplanationJob:
    """A job that is queued."""
    predict()
    return order(orderer())


def test_progress_moves_forward_only(job: ExplanationJob) -> None:
    now = timezone.now()
    assert len(apply_progress([progress(job.pk, 0.4), progress(job.pk, 0.6)], now)) == 1
    row = computation(job)
    assert (row.state, row.progress, row.stage, row.attempts) == ("running", 0.6, "looking", 1)
    assert row.heard_at == now
    for late in (progress(job.pk, 0.4), progress(job.pk, 0.6)):
        assert apply_progress([late], now + timedelta(seconds=1)) == []
    assert computation(job).progress == 0.6
    assert computation(job).heard_at == now + timedelta(seconds=1)
    # Another attempt begins from the start, and nobody hears of the one before it any more.
    assert apply_progress([progress(job.pk, 0.1, attempt=2)], now)
    assert apply_progress([progress(job.pk, 0.9, attempt=1)], now) == []
    assert computation(job).progress == 0.1


def test_a_completed_event_finishes_once_and_what_was_owed_is_dropped(job: ExplanationJob) -> None:
    assert OutboxMessage.objects.count() == 1
    now = timezone.now()
    done = apply_completed(completed(job.pk, generated_at=now + timedelta(hours=1)), now)
    assert done is not None
    assert (done.state, done.progress, done.took_s, done.finished_at) == ("done", 1.0, 0.5, now)
    assert not OutboxMessage.objects.exists()
    row = computation(job)
    assert store.document_of(row) == store.document_of(done)
    assert store.document_of(row).contributions == explanation().contributions
    for event in (completed(job.pk, summary="other"), failed(job.pk), progress(job.pk, 0.5, attempt=9)):
        assert results.apply([event], now=now) == []
    assert computation(job).result == row.result


def test_a_failed_event_finishes_once(job: ExplanationJob) -> None:
    row = apply_failed(failed(job.pk), timezone.now())
    assert row is not None
    assert (row.state, row.reason, row.attempts) == ("failed", "The data has a hole.", 3)
    assert not OutboxMessage.objects.exists()
    assert apply_completed(completed(job.pk), timezone.now()) is None
    assert apply_failed(failed(job.pk, "again"), timezone.now()) is None
    assert computation(job).reason == "The data has a hole."


def test_nothing_ends_before_it_began(job: ExplanationJob) -> None:
    event = completed(job.pk, generated_at=NOW - timedelta(days=1))
    apply_completed(event, timezone.now())
    assert computation(job).finished_at == NOW


@pytest.mark.parametrize("wrong", ["depth", "sum", "source"])
def test_an_explanation_that_does_not_fit_fails_the_job(job: ExplanationJob, wrong: str) -> None:
    event = {
        "depth": completed(job.pk, "deep"),
        "sum": completed(job.pk, contributions=explanation().contributions[:1]),
        "source": completed(job.pk, statements=[Statement(text="It rose.", sources=["nowhere"])]),
    }[wrong]
    row = apply_completed(event, timezone.now())
    assert row is not None
    assert row.state == "failed"
    assert row.reason.startswith("The explanation was refused: ")
    assert computation(job).result is None


def test_a_cancelled_or_unknown_computation_does_not_change(job: ExplanationJob) -> None:
    caller = orderer()
    cancel(job, caller)
    for id_ in (job.pk, NO_JOB):
        assert results.apply([progress(id_, 0.5), completed(id_), failed(id_)], now=NOW) == []
    assert computation(job).state == "cancelled"


def test_a_number_of_attempts_that_no_column_holds_is_cut(job: ExplanationJob) -> None:
    apply_progress([progress(job.pk, 0.5, attempt=10**15)], NOW)
    assert computation(job).attempts == 2**31 - 1
    assert apply_progress([progress(job.pk, 0.6, attempt=10**16)], NOW)


def test_a_batch_costs_a_handful_of_statements(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    caller = orderer()
    jobs = []
    for seq in range(1, 31):
        predict(seq=seq)
        jobs.append(order(caller))
    events = [progress(job.pk, 0.5) for job in jobs] + [completed(job.pk) for job in jobs[:20]]
    with django_assert_max_num_queries(8):
        changed = results.apply([*events, failed(jobs[25].pk)], now=timezone.now())
    assert [row.pk for row in changed] == [job.pk for job in jobs]
    states = Computation.objects.values_list("state", flat=True)
    assert sorted(states) == ["done"] * 20 + ["failed"] + ["running"] * 9
    assert OutboxMessage.objects.count() == 9
    with django_assert_max_num_queries(3):
        assert results.apply([completed(job.pk) for job in jobs[:20]], now=timezone.now()) == []


def test_who_was_not_heard_of_is_found_longest_first_until_touched() -> None:
    caller = orderer()
    predict()
    first, second = order(caller), order(caller, depth="deep", now=NOW + timedelta(seconds=5))
    done = order(caller, depth="medium")
    apply_completed(completed(done.pk, "medium"), NOW)
    later = NOW + timedelta(seconds=20)
    assert results.unheard(silence_s=10, now=later, most=9) == [str(first.pk), str(second.pk)]
    assert results.unheard(silence_s=10, now=later, most=1) == [str(first.pk)]
    assert results.unheard(silence_s=16, now=later, most=9) == [str(first.pk)]
    results.touch([str(first.pk), str(done.pk), str(uuid.uuid4())], now=later)
    assert results.unheard(silence_s=10, now=later, most=9) == [str(second.pk)]
    assert computation(done).heard_at == NOW


def test_a_job_that_an_earlier_version_has_left_in_flight_is_ended(job: ExplanationJob) -> None:
    other = order(orderer("other"), depth="deep")
    assert apply_completed(completed(job.pk), NOW)
    # As a process ends it that does not know of `ended_at`.
    ExplanationJob.objects.filter(pk=job.pk).update(ended_at=None)
    later = NOW + timedelta(minutes=1)
    assert [results.end_left(now=later, most=10) for _ in range(2)] == [1, 0]
    job.refresh_from_db()
    other.refresh_from_db()
    assert (job.ended_at, other.ended_at) == (later, None)
