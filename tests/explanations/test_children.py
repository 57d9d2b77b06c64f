"""Real processes with explainers of every kind in them: what one does costs its order and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.prediction_updated import PayloadRefused
from explanations import attempts, children
from explanations.children import Child, ExplainerFailed, ExplainerUnusable, Limits, Slot
from explanations.frames import Report
from tests.explanations.explainers import explanation
from tests.explanations.orders import make_order
from tests.explanations.processes import is_gone, until

EXPLAINERS = "tests.explanations.explainers"


def limits(name: str = "Versatile", *, timeout_s: float = 60.0, memory_mb: int = 512) -> Limits:
    """The limits of a child with a test's explainer."""
    return Limits(f"{EXPLAINERS}.{name}", timeout_s, memory_mb)


@contextlib.asynccontextmanager
async def opened(chosen: Limits) -> AsyncIterator[Slot]:
    """A slot that is ready."""
    slot = Slot(chosen)
    await slot.prepare()
    try:
        yield slot
    finally:
        await slot.close()


async def ignore(report: Report) -> None:
    """Hears a report."""


async def failure(slot: Slot, behaviour: str) -> str:
    """Why `behaviour` yields no explanation."""
    with pytest.raises(ExplainerFailed) as raised:
        await slot.explain(make_order(behaviour), ignore)
    return str(raised.value)


async def pid_of(slot: Slot) -> int:
    """The process that explains next."""
    order = make_order("telling_turn")
    explained = attempts.judge(await slot.explain(order, ignore), order)
    await slot.prepare()
    return int(explained.summary.split()[1])


async def test_a_good_explainer_reports_and_explains_one_order_after_the_other_in_one_process() -> None:
    heard: list[Report] = []

    async def hear(report: Report) -> None:
        heard.append(report)

    async with opened(limits()) as slot:
        pids = [await pid_of(slot) for _ in range(3)]
        order = make_order("good", depth="medium")
        assert attempts.judge(await slot.explain(order, hear), order) == explanation(order)
    assert len(set(pids)) == 1
    assert heard == [Report(progress=0.5, stage="thinking")]
    assert is_gone(pids[0])


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("raising", "the explainer failed: KeyError"),
        ("telling", "there is no history of this symbol in /srv/data/bars.csv"),
        ("unspeakable", "the explainer failed: Mute"),
        ("exiting", "the explainer's process ended with exit status 3"),
        ("leaving", "the explainer failed: SystemExit"),
        ("segfaulting", "the explainer's process was ended by SIGSEGV"),
        ("huge", "the explanation has 52429"),
        ("no_json", "the explainer failed: TypeError"),
        ("hoarding", "the explainer failed: MemoryError"),
        ("closing", "the explainer's process closed its pipes"),
        ("forging", "the explainer's process broke the protocol: a body of 4294967295 bytes"),
        ("escaping", "the explainer's process ended with exit status 4"),
        ("flooding", "the explainer's process broke the protocol: too many frames"),
        ("no such behaviour", "the explainer failed: KeyError"),
    ],
)
async def test_a_hostile_explainer_fails_its_order_and_the_next_one_is_explained(
    behaviour: str, reason: str
) -> None:
    async with opened(limits()) as slot:
        before = await pid_of(slot)
        assert (await failure(slot, behaviour)).startswith(reason)
        await slot.prepare()
        assert await pid_of(slot) != before
        assert is_gone(before)


@pytest.mark.parametrize("behaviour", ["hanging", "spinning"])
async def test_an_explainer_that_takes_too_long_is_killed(behaviour: str) -> None:
    async with opened(limits(timeout_s=0.5)) as slot:
        before = await pid_of(slot)
        assert await failure(slot, behaviour) == "the explainer took longer than 0.5 s"
        await slot.prepare()
        assert is_gone(before)
        await pid_of(slot)


@pytest.mark.parametrize(
    "behaviour", ["wrong_type", "nothing", "wrong_depth", "sum_off", "not_a_number", "unknown_source"]
)
async def test_nonsense_does_not_fit(behaviour: str) -> None:
    async with opened(limits()) as slot:
        order = make_order(behaviour)
        body = await slot.explain(order, ignore)
        with pytest.raises(PayloadRefused):
            attempts.judge(body, order)
        await slot.prepare()
        await pid_of(slot)


async def test_what_is_printed_goes_to_the_log_and_not_too_much_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="explanations.children")
    async with opened(limits()) as slot:
        order = make_order("printing")
        assert attempts.judge(await slot.explain(order, ignore), order) == explanation(order)
    assert "garbage" in caplog.records[0].getMessage()
    assert "prints more than 100 lines" in caplog.text
    assert len(caplog.records) == 101


async def test_a_flood_of_reports_becomes_few_with_the_first_and_the_latest() -> None:
    heard: list[Report] = []

    async def hear(report: Report) -> None:
        heard.append(report)

    async with opened(limits()) as slot:
        order = make_order("babbling")
        began = asyncio.get_running_loop().time()
        attempts.judge(await slot.explain(order, hear), order)
        took_s = asyncio.get_running_loop().time() - began
    assert heard[0] == Report(progress=0.0, stage="step 0")
    # Five a second by the child's clock, of which a part may lie before ours: one more.
    assert len(heard) <= 3 + 5 * took_s
    assert [one.progress for one in heard] == sorted(one.progress for one in heard)


async def test_the_latest_report_comes_although_the_explainer_is_silent_after_it(tmp_path: Path) -> None:
    heard: asyncio.Queue[Report] = asyncio.Queue()
    async with opened(limits()) as slot:
        explaining = asyncio.create_task(
            slot.explain(make_order("two_steps", features={"file": str(tmp_path / "gate")}), heard.put)
        )
        async with asyncio.timeout(10):
            assert [(await heard.get()).stage for _ in range(2)] == ["one", "two"]
        (tmp_path / "gate").touch()
        await explaining


@pytest.mark.parametrize("behaviour", ["threading_on", "copying", "forking"])
async def test_what_an_explainer_leaves_running_does_not_reach_the_next_order(behaviour: str) -> None:
    heard: list[Report] = []

    async def hear(report: Report) -> None:
        heard.append(report)

    async with opened(limits()) as slot:
        for _ in range(2):
            order = make_order(behaviour)
            assert attempts.judge(await slot.explain(order, ignore), order) == explanation(order)
            await slot.prepare()
            order = make_order("telling_turn")
            attempts.judge(await slot.explain(order, hear), order)
            await slot.prepare()
    assert heard == []


async def test_a_process_that_was_left_with_a_thread_is_replaced() -> None:
    async with opened(limits()) as slot:
        before = await pid_of(slot)
        await slot.explain(make_order("threading_on"), ignore)
        await slot.prepare()
        assert is_gone(before)


async def test_processes_that_an_explainer_has_started_go_with_its_own() -> None:
    async with opened(limits()) as slot:
        order = make_order("forking_told")
        explained = attempts.judge(await slot.explain(order, ignore), order)
        grandchild = int(explained.summary.split()[1])
        assert not is_gone(grandchild)
    await until(lambda: is_gone(grandchild))


async def test_a_process_that_writes_on_when_nobody_reads_is_replaced() -> None:
    async with opened(limits()) as slot:
        before = await pid_of(slot)
        order = make_order("gushing")
        assert attempts.judge(await slot.explain(order, ignore), order) == explanation(order)
        async with asyncio.timeout(10):
            await slot.prepare()
        assert is_gone(before)
        await pid_of(slot)


async def test_a_cancelled_order_kills_its_process() -> None:
    heard: asyncio.Queue[Report] = asyncio.Queue()
    async with opened(limits()) as slot:
        explaining = asyncio.create_task(slot.explain(make_order("hanging"), heard.put))
        pid = int((await heard.get()).stage.split()[1])
        explaining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await explaining
        await slot.prepare()
        assert is_gone(pid)
        await pid_of(slot)


async def test_a_process_that_is_killed_while_it_waits_is_noticed_by_its_next_order() -> None:
    async with opened(limits()) as slot:
        os.kill(await pid_of(slot), signal.SIGKILL)
        assert await failure(slot, "good") == "the explainer's process was ended by SIGKILL"
        await slot.prepare()
        await pid_of(slot)


@pytest.mark.parametrize(
    ("dotted_path", "reason"),
    [
        (f"{EXPLAINERS}.Unpreparable", "the explainer failed: FileNotFoundError"),
        (f"{EXPLAINERS}.Unmade", "the explainer's process ended with exit status 9"),
        (f"{EXPLAINERS}.Missing", f"the module {EXPLAINERS} has no class Missing"),
        (f"{EXPLAINERS}.NotOne", f"{EXPLAINERS}.NotOne has no method explain"),
        ("tests.nowhere.Good", "there is no module tests.nowhere"),
        ("Good", "Good is no dotted path of a class"),
    ],
)
async def test_an_explainer_that_does_not_start_is_unusable(dotted_path: str, reason: str) -> None:
    with pytest.raises(ExplainerFailed) as raised:
        await Child.start(Limits(dotted_path, 5.0, 512))
    assert str(raised.value) == reason


async def test_a_slot_tries_some_times_to_start_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_STARTS", 2)
    with pytest.raises(ExplainerUnusable, match="Unmade does not start: the explainer's process ended"):
        await Slot(limits("Unmade")).prepare()
