"""Orders in, events out: through a real NATS and real processes, with good explainers and hostile ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from events import explanations, streams
from events.explanations import ExplanationCompleted, ExplanationFailed, ExplanationProgress
from explanations import worker as worker_module
from tests.explanations.desk import REQUEST_ID, Desk, open_desk, working
from tests.explanations.explainers import explanation
from tests.explanations.orders import make_order
from tests.explanations.processes import is_gone, until


@pytest.fixture
async def desk(nats_url: str) -> AsyncIterator[Desk]:
    """The side that orders."""
    async with open_desk(nats_url) as opened:
        yield opened


async def test_an_order_becomes_progress_and_one_explanation_and_is_acknowledged(
    desk: Desk, nats_url: str
) -> None:
    async with working(nats_url):
        order = await desk.order()
        event = await desk.completed(order)
        await until(desk.is_done)
    assert event.explanation == explanation(order)
    assert event.attempt == 1
    assert 0 < event.took_s < 5
    progress = desk.heard(ExplanationProgress, order)
    assert [(one.progress, one.stage, one.attempt) for one in progress] == [(0.5, "thinking", 1)]
    assert await desk.headers_of(ExplanationCompleted) == [
        {streams.REQUEST_ID_HEADER: REQUEST_ID, streams.MSG_ID_HEADER: f"{order.job_id}-completed"}
    ]
    assert (await desk.headers_of(ExplanationProgress))[0][streams.REQUEST_ID_HEADER] == REQUEST_ID
    assert await desk.dead_letters() == {}


async def test_many_orders_are_explained_once_each_by_two_workers(desk: Desk, nats_url: str) -> None:
    async with working(nats_url), working(nats_url, concurrency=3):
        orders = [await desk.order() for _ in range(100)]
        for order in orders:
            await desk.completed(order)
        await until(desk.is_done)
    events = await desk.stored(ExplanationCompleted)
    assert sorted(one.job_id for one in events) == sorted(one.job_id for one in orders)
    assert {one.attempt for one in events} == {1}


async def test_an_order_that_is_queued_twice_is_computed_and_told_once(
    desk: Desk, nats_url: str, tmp_path: Path
) -> None:
    order = make_order("gated", features={"file": str(tmp_path / "gate")})
    await desk.give(order)
    async with working(nats_url, concurrency=2):
        await desk.pid(order)
        await desk.give(order)
        await desk.completed(await desk.order())
        (tmp_path / "gate").touch()
        await desk.completed(order)
        await until(desk.is_done)
    assert len([one for one in await desk.stored(ExplanationCompleted) if one.job_id == order.job_id]) == 1
    assert len(desk.heard(ExplanationProgress, order)) == 1


HOSTILE = {
    "raising": "the explainer failed: KeyError",
    "telling": "there is no history of this symbol in (path)",
    "exiting": "the explainer's process ended with exit status 3",
    "segfaulting": "the explainer's process was ended by SIGSEGV",
    "wrong_type": "the explanation does not fit: Expected `str`, got `int`",
    "wrong_depth": "the explanation does not fit: the explanation is deep, fast was ordered",
    "sum_off": "the explanation does not fit: the contributions sum to 1, the predicted move is",
    "unknown_source": "the explanation does not fit: a statement cites rumour, which is no source of it",
    "huge": "the explanation has 52429",
    "hoarding": "the explainer failed: MemoryError",
    "closing": "the explainer's process closed its pipes",
    "flooding": "the explainer's process broke the protocol: too many frames",
}
ENDLESS = {
    "hanging": "the explainer took longer than 2 s",
    "spinning": "the explainer took longer than 2 s",
}


@pytest.mark.parametrize(
    ("reasons", "timeout_s"), [(HOSTILE, 60.0), (ENDLESS, 2.0)], ids=["failing", "endless"]
)
async def test_every_hostile_explainer_costs_its_order_while_good_ones_beside_it_are_explained(
    desk: Desk, nats_url: str, reasons: dict[str, str], timeout_s: float
) -> None:
    async with working(nats_url, concurrency=2, tries=1, timeout_s=timeout_s):
        hostile = {}
        good = []
        for behaviour in reasons:
            hostile[behaviour] = await desk.order(behaviour)
            good.append(await desk.order())
        for order in good:
            await desk.completed(order)
        for behaviour, order in hostile.items():
            event = await desk.failed(order)
            assert event.reason.startswith(reasons[behaviour]), behaviour
            assert event.reason.isprintable()
        await until(desk.is_done)
    letters = await desk.dead_letters()
    assert {explanations.encode(order) for order in hostile.values()} == set(letters)
    assert len(await desk.stored(ExplanationCompleted)) == len(good)


async def test_a_failing_order_is_tried_again_and_fails_for_good_at_the_third_delivery(
    desk: Desk, nats_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with working(nats_url, first_delay_s=0.1):
        order = await desk.order("raising")
        event = await desk.failed(order)
        await until(desk.is_done)
    assert (event.attempt, event.reason) == (3, "the explainer failed: KeyError")
    assert "explainers.py" in caplog.text, "the trace goes to the log"
    assert await desk.headers_of(ExplanationFailed) == [
        {streams.REQUEST_ID_HEADER: REQUEST_ID, streams.MSG_ID_HEADER: f"{order.job_id}-failed"}
    ]
    assert await desk.dead_letters() == {explanations.encode(order): "the explainer failed: KeyError"}


async def test_an_order_that_failed_once_is_explained_at_its_second_delivery(
    desk: Desk, nats_url: str, tmp_path: Path
) -> None:
    async with working(nats_url):
        order = await desk.order("failing_once", file=str(tmp_path / "mark"))
        assert (await desk.completed(order)).attempt == 2
        await until(desk.is_done)
    assert await desk.stored(ExplanationFailed) == []


@pytest.mark.parametrize("payload", [b"", b"{}", b"\xff", b"[" * 10_000, b'{"job_id": "7"}'])
async def test_what_is_no_order_goes_to_the_dead_letters_and_stops_nobody(
    desk: Desk, nats_url: str, payload: bytes
) -> None:
    async with working(nats_url):
        await desk.give_bytes(payload)
        await desk.completed(await desk.order())
        await until(desk.is_done)
    assert list(await desk.dead_letters()) == [payload]


async def test_orders_that_wait_or_run_longer_than_the_ack_wait_are_kept_alive(
    desk: Desk, nats_url: str, tmp_path: Path
) -> None:
    gate = str(tmp_path / "gate")
    async with working(nats_url, concurrency=1, ack_wait_s=0.6):
        running = await desk.order("gated", file=gate)
        waiting = await desk.order("gated", file=gate)
        await desk.pid(running)
        passed = await desk.order()
        # Beside the first worker, whose two orders nobody else gets meanwhile.
        async with working(nats_url, concurrency=1, ack_wait_s=0.6):
            assert (await desk.completed(passed)).attempt == 1
            for _ in range(4):
                assert (await desk.completed(await desk.order("pausing"))).attempt == 1
            assert desk.heard(ExplanationProgress, waiting) == []
            (tmp_path / "gate").touch()
            assert (await desk.completed(running)).attempt == 1
            assert (await desk.completed(waiting)).attempt == 1
            await until(desk.is_done)


async def test_a_running_order_that_is_cancelled_ends_at_once_and_its_slot_goes_on(
    desk: Desk, nats_url: str
) -> None:
    async with working(nats_url, concurrency=1):
        order = await desk.order("hanging")
        pid = await desk.pid(order)
        await desk.cancel(order.job_id)
        await until(lambda: is_gone(pid))
        await until(desk.is_done)
        await desk.completed(await desk.order())
    assert await desk.stored(ExplanationFailed) == []
    assert len(await desk.stored(ExplanationCompleted)) == 1


async def test_a_waiting_order_that_is_cancelled_is_dropped(
    desk: Desk, nats_url: str, tmp_path: Path
) -> None:
    async with working(nats_url, concurrency=1) as worker:
        running = await desk.order("gated", file=str(tmp_path / "gate"))
        await desk.pid(running)
        waiting = await desk.order()
        await until(lambda: worker.held == 2)
        await desk.cancel(waiting.job_id)
        await until(lambda: worker.held == 1)
        assert await desk.count_orders() == 1
        (tmp_path / "gate").touch()
        await desk.completed(running)
        await until(desk.is_done)
    assert desk.heard(ExplanationCompleted, waiting) == []


async def test_an_order_that_comes_after_its_cancellation_is_acknowledged_unseen(
    desk: Desk, nats_url: str
) -> None:
    async with working(nats_url):
        await desk.completed(await desk.order())
        cancelled = make_order()
        await desk.cancel("no job id \xff")
        await desk.cancel(cancelled.job_id)
        await desk.completed(await desk.order())
        await desk.give(cancelled)
        await desk.completed(await desk.order())
        await until(desk.is_done)
    assert desk.heard(ExplanationCompleted, cancelled) == []


async def test_at_the_end_what_runs_is_finished_and_what_waits_goes_to_another_worker(
    desk: Desk, nats_url: str, tmp_path: Path
) -> None:
    async with working(nats_url, concurrency=1) as first:
        running = await desk.order("gated", file=str(tmp_path / "gate"))
        pid = await desk.pid(running)
        waiting = await desk.order()
        await until(lambda: first.held == 2)
        ending = asyncio.create_task(
            _work_elsewhere(desk, nats_url, waiting.job_id.hex, (tmp_path / "gate").touch)
        )
    await ending
    assert (await desk.completed(running)).attempt == 1
    assert (await desk.completed(waiting)).attempt == 2
    assert is_gone(pid)
    await until(desk.is_done)


async def _work_elsewhere(desk: Desk, url: str, hex_id: str, open_gate: Callable[[], None]) -> None:
    """Explain what the other worker gives back; only then open the gate that it waits for."""
    async with working(url):
        await until(lambda: hex_id in desk.ended_jobs())
        open_gate()


async def test_at_the_end_what_takes_too_long_is_killed_and_given_back(
    desk: Desk, nats_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(worker_module, "GRACE_S", 0.3)
    async with working(nats_url, ack_wait_s=60):
        order = await desk.order("gated", file=str(tmp_path / "gate"))
        pid = await desk.pid(order)
    assert is_gone(pid)
    assert await desk.count_orders() == 1
    (tmp_path / "gate").touch()
    async with working(nats_url, ack_wait_s=60):
        assert (await desk.completed(order)).attempt == 2
        await until(desk.is_done)
