"""How jobs stand, asked by many at once: each gets the truth of its own job, by few queries."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import redis
from django.db import OperationalError

from accounts.callers import Caller
from explanations import asking, estimates, ordering, results
from explanations.asking import Asking, CannotTell, Done, Pending
from explanations.models import Computation, ExplanationJob
from observability import blocking
from tests.accounts.callers import key
from tests.explanations import ends
from tests.explanations.orderers import NO_JOB, NOW, caller_of, get_job, order, predict

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

DEADLINE_S = 20
Found = Done | Pending | None


class Reads:
    """The real query, which the test counts, holds up and lets fail."""

    def __init__(self) -> None:
        self.asked: list[list[uuid.UUID]] = []
        self.fails_with: Exception | None = None
        # Cleared: a query has its answer, and waits with it.
        self.go_on = threading.Event()
        self.go_on.set()
        self.has_read = threading.Event()
        self._read = asking._read

    def __call__(self, job_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Done | Pending]:
        """As `asking._read`."""
        self.asked.append(list(job_ids))
        if self.fails_with is not None:
            raise self.fails_with
        found = self._read(job_ids)
        self.has_read.set()
        if not self.go_on.wait(DEADLINE_S):
            raise RuntimeError("nobody lets it go on")
        return found

    async def until_it_has_read(self) -> None:
        """Wait for the answer of the database."""
        assert await asyncio.to_thread(self.has_read.wait, DEADLINE_S)
        self.has_read.clear()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reads]:
    """What stands in the query's place."""
    made = Reads()
    monkeypatch.setattr(asking, "_read", made)
    yield made
    made.go_on.set()


@pytest.fixture
def caller(redis_client: redis.Redis, handed_over: list[Any]) -> Caller:
    """Somebody who orders."""
    estimates.forget()
    predict()
    return caller_of(key())


@pytest.fixture
def jobs(caller: Caller) -> list[ExplanationJob]:
    """Five jobs of one account, none of which has ended."""
    for number in range(1, 5):
        predict(f"SY{'ABCD'[number - 1]}", seq=number)
    return [order(caller), *(order(caller, f"SY{letter}") for letter in "ABCD")]


@pytest.fixture
def job(jobs: list[ExplanationJob]) -> ExplanationJob:
    """The first of them."""
    return jobs[0]


def complete(*done: ExplanationJob) -> None:
    """Workers have explained these."""
    results.apply([ends.completed(job.computation_id) for job in done], now=NOW)


def status(found: Found) -> str:
    """What is said of a job."""
    if found is None:
        return "nothing"
    shown: str = json.loads(found.body.plain)["status"]
    return shown


async def find(job: ExplanationJob, one: Asking | None = None, **changes: Any) -> Found:
    """How the job stands, in the name of its account."""
    return await (one or Asking()).find(job.pk, **{"account_id": job.account_id, **changes})


async def test_all_who_ask_in_one_turn_of_the_loop_share_one_query(
    jobs: list[ExplanationJob], reads: Reads
) -> None:
    one = Asking()
    found = await asyncio.gather(*(find(job, one) for _ in range(20) for job in jobs))
    assert reads.asked == [[job.pk for job in jobs]]
    shown = [json.loads(pending.body.plain)["job_id"] for pending in found if pending is not None]
    assert shown == [str(job.pk) for _ in range(20) for job in jobs]


async def test_whoever_asks_while_a_query_is_under_way_is_told_by_the_next_one(
    job: ExplanationJob, reads: Reads
) -> None:
    one = Asking()
    reads.go_on.clear()
    early = asyncio.create_task(find(job, one))
    await reads.until_it_has_read()
    await blocking.run(complete, job)
    late = [asyncio.create_task(find(job, one)) for _ in range(10)]
    await asyncio.sleep(0)
    reads.go_on.set()
    async with asyncio.timeout(DEADLINE_S):
        assert status(await early) == "queued"
        assert {status(found) for found in await asyncio.gather(*late)} == {"done"}
    assert reads.asked == [[job.pk], [job.pk]]


async def test_many_jobs_are_asked_for_by_several_queries(
    jobs: list[ExplanationJob], reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_MOST_A_QUERY", 2)
    one = Asking()
    found = await asyncio.gather(*(find(job, one) for job in jobs))
    assert [status(pending) for pending in found] == ["queued"] * 5
    assert [len(asked) for asked in reads.asked] == [2, 2, 1]
    assert sorted(id_ for asked in reads.asked for id_ in asked) == sorted(job.pk for job in jobs)


async def test_what_is_done_is_remembered_and_what_is_pending_is_not(
    jobs: list[ExplanationJob], reads: Reads
) -> None:
    done, pending = jobs[:2]
    await blocking.run(complete, done)
    one = Asking()
    for _ in range(3):
        assert status(await find(done, one)) == "done"
        assert status(await find(pending, one)) == "queued"
    assert reads.asked == [[done.pk], [pending.pk], [pending.pk], [pending.pk]]
    await blocking.run(complete, pending)
    assert status(await find(pending, one)) == "done"


async def test_what_is_remembered_is_the_same_object_so_that_it_is_compressed_once(
    job: ExplanationJob,
) -> None:
    await blocking.run(complete, job)
    one = Asking()
    assert await find(job, one) is await find(job, one)


async def test_what_is_done_is_remembered_for_a_while_only(
    job: ExplanationJob, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    await blocking.run(complete, job)
    one = Asking()
    await find(job, one)
    monkeypatch.setattr(asking, "_DONE_KEPT_S", 0.0)
    assert status(await find(job, one)) == "done"
    assert len(reads.asked) == 2


async def test_what_nobody_asks_for_again_is_forgotten_as_well(jobs: list[ExplanationJob]) -> None:
    await blocking.run(complete, *jobs)
    one = Asking()
    await find(jobs[0], one)
    held, _ = one._done[jobs[0].pk]
    one._done[jobs[0].pk] = held, asyncio.get_running_loop().time() - asking._DONE_KEPT_S
    await find(jobs[1], one)
    assert list(one._done) == [jobs[1].pk]


async def test_how_much_is_remembered_is_bounded_and_the_oldest_goes(
    jobs: list[ExplanationJob], reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_MOST_DONE", 2)
    await blocking.run(complete, *jobs)
    one = Asking()
    for job in (*jobs[:3], jobs[2], jobs[1], jobs[0]):
        assert status(await find(job, one)) == "done"
    assert [asked for [asked] in reads.asked] == [jobs[0].pk, jobs[1].pk, jobs[2].pk, jobs[0].pk]


@pytest.mark.parametrize("is_done", [False, True], ids=["pending", "done"])
async def test_a_job_of_another_account_is_nobodys(job: ExplanationJob, is_done: bool) -> None:
    if is_done:
        await blocking.run(complete, job)
    one = Asking()
    for _ in range(2):  # the second time from memory, if it is done
        own, others, strangers = await asyncio.gather(
            find(job, one), find(job, one, account_id=job.account_id + 1), find(job, one, account_id=None)
        )
        assert status(own) == ("done" if is_done else "queued")
        assert others is strangers is None


def fail(job: ExplanationJob) -> None:
    """It ends as it should not."""
    results.apply([ends.failed(job.computation_id)], now=NOW)


def cancel(job: ExplanationJob) -> None:
    """Its owner wants it no more."""
    ordering.cancel(job_id=job.pk, account_id=job.account_id, now=NOW)


def cancel_the_shared(job: ExplanationJob) -> None:
    """Its owner wants it no more, somebody else does, and gets it."""
    order(caller_of(key(of="another")))
    cancel(job)
    complete(job)


@pytest.mark.parametrize("end", [fail, cancel, cancel_the_shared, ExplanationJob.delete])
async def test_a_job_that_is_neither_done_nor_pending_is_left_to_django(
    job: ExplanationJob, end: Callable[[ExplanationJob], object]
) -> None:
    one = Asking()
    assert status(await find(job, one)) == "queued"
    id_ = job.pk
    await blocking.run(end, job)
    assert await one.find(id_, account_id=job.account_id) is None


async def test_an_unknown_job_is_nobodys_and_costs_its_neighbours_nothing(
    job: ExplanationJob, reads: Reads
) -> None:
    one = Asking()
    found, unknown = await asyncio.gather(find(job, one), one.find(NO_JOB, account_id=job.account_id))
    assert (status(found), unknown) == ("queued", None)
    assert reads.asked == [[job.pk, NO_JOB]]


async def test_what_is_told_is_what_django_tells(jobs: list[ExplanationJob], caller: Caller) -> None:
    done, running, queued = jobs[:3]
    holder = await blocking.run(key)  # another key of the same account
    await blocking.run(complete, done)
    await blocking.run(results.apply, [ends.progress(running.pk, 0.25)], now=NOW)
    one = Asking()
    for job in (done, running, queued):
        found = await find(job, one)
        response = await blocking.run(get_job, holder, job.pk)
        assert found is not None
        assert found.body.plain == response.content
        if isinstance(found, Done):
            assert (response.status_code, response["ETag"]) == (200, found.tag)
        else:
            assert response.status_code == 202
            assert found.headers == {name: response[name] for name in found.headers}
            assert "Retry-After" in found.headers


async def test_a_job_whose_row_cannot_be_shown_is_none_and_the_others_are_told(
    jobs: list[ExplanationJob],
) -> None:
    await blocking.run(complete, *jobs[:2])
    spoiled = Computation.objects.filter(pk=jobs[0].computation_id)
    await blocking.run(spoiled.update, result={"nonsense": 1})
    one = Asking()
    async with asyncio.timeout(DEADLINE_S):
        found = await asyncio.gather(*(find(job, one) for job in jobs[:3]))
    assert [status(each) for each in found] == ["nothing", "done", "queued"]


@pytest.mark.parametrize(
    "failure",
    [OperationalError("away"), TimeoutError(), KeyError("whatever")],
    ids=["error", "hangs", "anything"],
)
async def test_while_the_database_does_not_answer_nobody_can_tell(
    jobs: list[ExplanationJob], reads: Reads, failure: Exception
) -> None:
    one = Asking()
    reads.fails_with = failure
    found = await asyncio.gather(*(find(job, one) for job in [*jobs, *jobs]), return_exceptions=True)
    assert {type(outcome) for outcome in found} == {CannotTell}
    assert len(reads.asked) == 1
    reads.fails_with = None
    assert status(await find(jobs[0], one)) == "queued"


async def test_a_query_that_fails_does_not_hold_up_the_next_one(
    jobs: list[ExplanationJob], reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_MOST_A_QUERY", 2)
    one = Asking()
    reads.fails_with = OperationalError("away")
    async with asyncio.timeout(DEADLINE_S):
        found = await asyncio.gather(*(find(job, one) for job in jobs), return_exceptions=True)
    assert [type(outcome) for outcome in found] == [CannotTell] * 5
    assert [len(asked) for asked in reads.asked] == [2, 2, 1]


async def test_what_is_remembered_is_told_while_the_database_does_not_answer(
    job: ExplanationJob, reads: Reads
) -> None:
    await blocking.run(complete, job)
    one = Asking()
    await find(job, one)
    reads.fails_with = OperationalError("away")
    assert status(await find(job, one)) == "done"


async def test_whoever_goes_away_takes_no_answer_from_others(job: ExplanationJob, reads: Reads) -> None:
    one = Asking()
    reads.go_on.clear()
    first, second, third = (asyncio.create_task(find(job, one)) for _ in range(3))
    await reads.until_it_has_read()
    first.cancel()  # it has caused the query
    second.cancel()
    await asyncio.wait([first, second], timeout=DEADLINE_S)
    reads.go_on.set()
    async with asyncio.timeout(DEADLINE_S):
        assert status(await third) == "queued"
    assert (first.cancelled(), second.cancelled(), len(reads.asked)) == (True, True, 1)


@pytest.mark.parametrize("fails", [False, True], ids=["answered", "failed"])
async def test_when_all_have_gone_away_the_next_who_asks_is_told(
    job: ExplanationJob, reads: Reads, fails: bool
) -> None:
    one = Asking()
    if fails:
        reads.fails_with = OperationalError("away")
    gone = [asyncio.create_task(find(job, one)) for _ in range(3)]
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    await asyncio.wait(gone, timeout=DEADLINE_S)
    while one._task is not None and not one._task.done():
        await asyncio.wait([one._task], timeout=DEADLINE_S)
    reads.fails_with = None
    assert status(await find(job, one)) == "queued"


async def test_what_waits_is_bounded_and_whoever_asks_for_what_waits_already_may_join(
    jobs: list[ExplanationJob], reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_MOST_WAITING", 2)
    one = Asking()
    asked = [jobs[0], jobs[1], jobs[2], jobs[0], jobs[3]]
    found = await asyncio.gather(*(find(job, one) for job in asked), return_exceptions=True)
    told = ["refused" if isinstance(outcome, CannotTell) else "told" for outcome in found]
    assert told == ["told", "told", "refused", "told", "refused"]
    assert reads.asked == [[jobs[0].pk, jobs[1].pk]]
    assert status(await find(jobs[2], one)) == "queued"


async def test_an_event_loop_has_one_until_it_is_stopped() -> None:
    first = asking.current()
    assert asking.current() is first
    asking.stop_current()
    asking.stop_current()
    assert asking.current() is not first
    asking.stop_current()
