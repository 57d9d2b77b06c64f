"""`manage.py explain_worker` as a process: killed, ended, cut off; the order is explained once."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from events.explanations import ExplainOrder, ExplanationCompleted, ExplanationFailed, ExplanationProgress
from tests.explanations.desk import EXPLAINER, Desk, open_desk
from tests.explanations.processes import is_gone, until
from tests.servers import Server
from tests.stack import ROOT


class Workers:
    """Worker processes at one NATS, without a database or a Redis that they could reach."""

    def __init__(self, url: str, log_path: Path) -> None:
        self.log_path = log_path
        self._processes: list[subprocess.Popen[bytes]] = []
        self.environ = {
            **os.environ,
            "NATS_URL": url,
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "EXPLAINER": EXPLAINER,
            "EXPLAIN_ACK_WAIT_S": "1",
            "EXPLAINER_MEMORY_MB": "512",
        }

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """One more worker."""
        command = [sys.executable, str(ROOT / "manage.py"), "explain_worker", *arguments]
        with self.log_path.open("ab") as log:
            process = subprocess.Popen(command, env=self.environ, stderr=log)
        self._processes.append(process)
        return process

    def run(self, *arguments: str) -> tuple[int, str]:
        """A worker that ends by itself: its status, and what it said."""
        status = self.start(*arguments).wait(timeout=60)
        return status, self.log_path.read_text()

    def end(self) -> None:
        """Leave none behind."""
        for process in self._processes:
            process.kill()
            process.wait()
        sys.stderr.write(self.log_path.read_text())


async def ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of `process`."""
    return await asyncio.to_thread(process.wait, 20)


@pytest.fixture
def workers(nats_url: str, tmp_path: Path) -> Iterator[Workers]:
    """Workers at the test's own NATS; a failing test shows their log."""
    made = Workers(nats_url, tmp_path / "workers.log")
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
async def desk(nats_url: str) -> AsyncIterator[Desk]:
    """The side that orders."""
    async with open_desk(nats_url) as opened:
        yield opened


async def test_killed_in_the_middle_the_order_comes_again_and_is_completed_once(
    desk: Desk, workers: Workers, tmp_path: Path
) -> None:
    order = await desk.order("gated", file=str(tmp_path / "gate"))
    first = workers.start("--concurrency", "1")
    pid = await desk.pid(order)
    first.kill()
    await ended(first)
    await until(lambda: is_gone(pid))
    (tmp_path / "gate").touch()

    workers.start("--concurrency", "1")

    assert (await desk.completed(order)).attempt == 2
    await until(desk.is_done)
    assert len(await desk.stored(ExplanationCompleted)) == 1
    assert await desk.stored(ExplanationFailed) == []


async def test_killed_once_for_each_try_the_order_is_explained_nevertheless(
    desk: Desk, workers: Workers, tmp_path: Path
) -> None:
    order = await desk.order("gated", file=str(tmp_path / "gate"))
    for attempt in (1, 2, 3):
        worker = workers.start()
        await until(functools.partial(_runs, desk, order, attempt))
        worker.kill()
        await ended(worker)
    (tmp_path / "gate").touch()
    workers.start()
    assert (await desk.completed(order)).attempt == 4


def _runs(desk: Desk, order: ExplainOrder, attempt: int) -> bool:
    return attempt in {one.attempt for one in desk.heard(ExplanationProgress, order)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_ended_it_finishes_what_runs_and_leaves_no_process_behind(
    desk: Desk, workers: Workers, tmp_path: Path, number: signal.Signals
) -> None:
    order = await desk.order("gated", file=str(tmp_path / "gate"))
    worker = workers.start("--concurrency", "1")
    pid = await desk.pid(order)
    worker.send_signal(number)
    # Its request for more is taken back: now it drains.
    await until(lambda: _has_no_request(desk))
    late = await desk.order()
    (tmp_path / "gate").touch()
    assert await ended(worker) == 0
    assert (await desk.completed(order)).attempt == 1
    assert is_gone(pid)
    assert await desk.count_orders() == 1
    assert desk.heard(ExplanationCompleted, late) == []


async def _has_no_request(desk: Desk) -> bool:
    return await desk.count_requests() == 0


async def test_ended_while_nats_is_away_it_ends(nats_server: Server, workers: Workers) -> None:
    nats_server.stop()
    worker = workers.start()
    await _catches_signals(worker)
    worker.terminate()
    assert await ended(worker) == 0
    nats_server.start()


async def _catches_signals(worker: subprocess.Popen[bytes]) -> None:
    """Wait until `worker` catches SIGTERM."""

    def catches() -> bool:
        status = Path(f"/proc/{worker.pid}/status").read_text()
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        return bool(caught >> (signal.SIGTERM - 1) & 1)

    await until(catches)


async def test_nats_restarted_in_the_middle_the_order_is_completed_once(
    desk: Desk, workers: Workers, nats_server: Server, tmp_path: Path
) -> None:
    order = await desk.order("gated", file=str(tmp_path / "gate"))
    workers.start()
    await desk.pid(order)
    await asyncio.to_thread(nats_server.kill)
    (tmp_path / "gate").touch()
    await asyncio.to_thread(nats_server.start)
    await desk.completed(order)
    await until(desk.is_done)
    assert len(await desk.stored(ExplanationCompleted)) == 1


async def test_nats_restarted_without_its_store_the_worker_goes_on_and_acknowledges_no_stranger(
    desk: Desk, workers: Workers, nats_server: Server, tmp_path: Path
) -> None:
    workers.start()
    await desk.completed(await desk.order())
    order = await desk.order("gated", file=str(tmp_path / "gate"))
    await desk.pid(order)
    await asyncio.to_thread(nats_server.kill)
    nats_server.wipe("jetstream")
    await asyncio.to_thread(nats_server.start)
    await until(lambda: desk.connection.client.is_connected)
    await desk.open()
    # They get the sequence numbers that the old ones had.
    strangers = [await desk.order() for _ in range(3)]
    (tmp_path / "gate").touch()
    for one in (*strangers, order):
        await desk.completed(one)
    await until(desk.is_done)


async def test_the_cut_off_worker_computes_on_and_tells_its_result_when_nats_is_back(
    desk: Desk, workers: Workers, nats_server: Server, tmp_path: Path
) -> None:
    workers.environ["EXPLAIN_ACK_WAIT_S"] = "30"
    order = await desk.order("gated", file=str(tmp_path / "gate"))
    workers.start()
    await desk.pid(order)
    await asyncio.to_thread(nats_server.kill)
    (tmp_path / "gate").touch()
    await asyncio.to_thread(nats_server.start)
    assert (await desk.completed(order)).attempt == 1


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("EXPLAINER", "tests.explanations.explainers.Missing", "has no class Missing"),
        ("EXPLAINER", "tests.explanations.explainers.Unpreparable", "failed: FileNotFoundError"),
        ("EXPLAINER", "no path", "EXPLAINER = 'no path' (environment variable EXPLAINER)"),
    ],
)
def test_an_explainer_that_does_not_start_ends_the_worker_with_an_error(
    workers: Workers, setting: str, value: str, said: str
) -> None:
    workers.environ[setting] = value
    status, output = workers.run()
    assert status == 1
    assert said in output


def test_a_concurrency_of_nothing_is_refused(workers: Workers) -> None:
    status, output = workers.run("--concurrency", "0")
    assert (status, "--concurrency must be 1 or more" in output) == (1, True)
