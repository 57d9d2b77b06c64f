"""The launcher with real processes that are quick to start: who dies, hangs, is renewed, is ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Set
from pathlib import Path
from typing import TypeVar

import pytest

from gateway_project import embedded, server, supervisor
from gateway_project.launcher import Launcher, Timing
from tests.stack import eventually

STUB = Path(__file__).with_name("stub_worker.py")
T = TypeVar("T")


class Launched:
    """A launcher that runs in the test's event loop, its port, and the folder that its workers obey."""

    def __init__(self, folder: Path, *, count: int, silent_s: float) -> None:
        self.folder = folder
        self.reserved = server.reserve(embedded.LOOPBACK, 0)
        self.address: tuple[str, int] = self.reserved.getsockname()
        timing = Timing(beat_s=0.05, silent_s=silent_s)
        self.launcher = Launcher([sys.executable, str(STUB), str(folder)], self.reserved, count, timing)
        self.ended = asyncio.create_task(self.launcher.run())

    def answering(self) -> set[int]:
        """The processes that answer 20 connections."""
        return {self.ask() for _ in range(20)}

    def ask(self) -> int:
        """Who answers one connection."""
        with socket.create_connection(self.address, timeout=60) as asking:
            return int(asking.recv(100))

    def told_to_end(self) -> set[int]:
        """The processes that have noted SIGTERM."""
        return {int(path.name.removeprefix("ending-")) for path in self.folder.glob("ending-*")}

    async def serving(self, count: int, *, without: Set[int] = frozenset()) -> set[int]:
        """Wait until `count` processes answer, none of them of `without`."""

        def found() -> set[int] | None:
            try:
                now = self.answering()
            except OSError:
                return None
            return now if len(now) == count and not now & without else None

        return await soon(found)

    async def end(self) -> bool:
        """What the launcher returns after it was told to stop."""
        if not self.launcher._stop_wanted.is_set():
            self.launcher.stop(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.ended, 60)
        finally:
            self.reserved.close()


async def soon(check: Callable[[], T | None]) -> T:
    """`eventually`, while the event loop goes on."""
    return await asyncio.to_thread(eventually, check)


@contextlib.asynccontextmanager
async def launched(folder: Path, *, count: int = 2, silent_s: float = 30.0) -> AsyncIterator[Launched]:
    """`count` workers that are ready."""
    one = Launched(folder, count=count, silent_s=silent_s)
    try:
        await one.serving(count)
        yield one
    finally:
        await one.end()


def is_running(pid: int) -> bool:
    """True for a process that has not ended."""
    return Path(f"/proc/{pid}").exists()


async def test_a_worker_that_was_killed_is_started_again_and_the_others_answer_meanwhile(
    tmp_path: Path,
) -> None:
    async with launched(tmp_path) as one:
        before = await one.serving(2)
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        after = await one.serving(2, without={killed})
    assert before - after == {killed}


async def test_a_worker_that_hangs_is_found_silent_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with launched(tmp_path, count=1, silent_s=2.0) as one:
        (hanging,) = await one.serving(1)
        os.kill(hanging, signal.SIGSTOP)
        await soon(lambda: not is_running(hanging))
        await one.serving(1, without={hanging})
    assert f"worker 1 (pid {hanging}) has said nothing for 2 s; it is killed" in caplog.text
    assert "worker 1 ended (signal SIGKILL); starting it again in" in caplog.text


async def test_a_worker_that_does_not_get_ready_is_killed_and_started_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "mute").touch()
    one = Launched(tmp_path, count=1, silent_s=1.0)
    await soon(lambda: "does not get ready: nothing was heard for 1 s; it is killed" in caplog.text)
    (tmp_path / "mute").unlink()
    await one.serving(1)
    assert await one.end()


async def test_a_renewal_replaces_all_workers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with launched(tmp_path) as one:
        before = await one.serving(2)
        one.launcher.renew()
        after = await one.serving(2, without=before)
        await soon(lambda: "all workers are renewed" in caplog.text)
        assert not any(map(is_running, before))
        assert one.told_to_end() == before
        assert await one.serving(2) == after


async def test_who_waits_to_be_accepted_is_served_by_the_new_worker(tmp_path: Path) -> None:
    async with launched(tmp_path, count=1) as one:
        (old,) = await one.serving(1)
        os.kill(old, signal.SIGSTOP)
        waiting = [asyncio.create_task(asyncio.to_thread(one.ask)) for _ in range(5)]
        one.launcher.renew()
        answered_by = set(await asyncio.gather(*waiting))
        os.kill(old, signal.SIGCONT)
        assert len(answered_by) == 1
        assert answered_by != {old}


async def test_a_new_worker_that_dies_ends_the_renewal_and_the_old_ones_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with launched(tmp_path) as one:
        before = await one.serving(2)
        (tmp_path / "dies").touch()
        one.launcher.renew()
        await soon(lambda: "did not get ready" in caplog.text)
        assert await one.serving(2) == before
        (tmp_path / "dies").unlink()
        one.launcher.renew()
        await one.serving(2, without=before)


async def test_all_workers_end_at_the_same_time(tmp_path: Path) -> None:
    async with launched(tmp_path, count=3) as one:
        pids = await one.serving(3)
        (tmp_path / "holds").touch()
        one.launcher.stop(signal.SIGTERM)
        await soon(lambda: one.told_to_end() == pids)
        with pytest.raises(ConnectionRefusedError):
            one.ask()
        (tmp_path / "holds").unlink()
        assert await one.end()


async def test_a_second_signal_kills(tmp_path: Path) -> None:
    async with launched(tmp_path) as one:
        pids = await one.serving(2)
        (tmp_path / "holds").touch()
        one.launcher.stop(signal.SIGTERM)
        await soon(lambda: one.told_to_end() == pids)
        one.launcher.stop(signal.SIGTERM)
        assert not await one.end()
    assert not any(map(is_running, pids))


async def test_the_end_does_not_wait_for_a_renewal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with launched(tmp_path, count=1) as one:
        before = await one.serving(1)
        (tmp_path / "mute").touch()
        one.launcher.renew()
        await soon(lambda: len(one.launcher._running) == 2)
        assert await one.end()
        assert not any(map(is_running, before))
        assert not one.launcher._running
    assert "did not get ready" not in caplog.text


async def test_a_system_without_a_process_to_spare_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise BlockingIOError("no process left")

    async with launched(tmp_path) as one:
        before = await one.serving(2)
        with monkeypatch.context() as patched:
            patched.setattr(supervisor, "spawn", refuse)
            one.launcher.renew()
            await soon(lambda: "no new process for worker 1 can be started: no process left" in caplog.text)
            assert await one.serving(2) == before
            os.kill(min(before), signal.SIGKILL)
            await soon(lambda: "cannot be started: no process left" in caplog.text)
        await one.serving(2, without={min(before)})
