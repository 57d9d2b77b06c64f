"""Locust in a process of its own: started with a plan, asked when it counts, read when it has counted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from benchmarks.side_by_side.ground import ROOT
from loadtests.ledger import Ledger
from loadtests.plan import BEGUN, ENDED, WRITTEN, Plan

# Beyond the times that the plan names: coming up, and waiting for the last answers.
_MARGIN_S = 120.0
USERS_FILE = ROOT / "loadtests" / "users.py"


class GeneratorEnded(Exception):
    """It has ended too early or does not get on; the text is the end of what it has said."""


class Generator:
    """One run."""

    def __init__(self, process: asyncio.subprocess.Process, plan: Plan, log: Path) -> None:
        self._process = process
        self._plan = plan
        self._log = log

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    async def begin(self) -> None:
        """Return when it begins to count."""
        await self._hear(BEGUN, self._plan.warm_up_s + _MARGIN_S)

    async def end(self) -> None:
        """Return when the counted time is over; answers may still be under way."""
        await self._hear(ENDED, self._plan.seconds + _MARGIN_S)

    async def read(self) -> Ledger:
        """What it has counted."""
        await self._hear(WRITTEN, _MARGIN_S)
        written = await asyncio.to_thread(Path(self._plan.ledger).read_bytes)
        return msgspec.json.decode(written, type=Ledger)

    async def _hear(self, what: str, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                while line := await self._line():
                    if line.strip() == what.encode():
                        return
        except TimeoutError:
            pass
        raise GeneratorEnded(self._log.read_text(errors="replace")[-3000:])

    async def _line(self) -> bytes:
        return b"" if self._process.stdout is None else await self._process.stdout.readline()


@contextlib.asynccontextmanager
async def generating(
    plan: Plan, *, url: str, users: int, per_s: float, classes: Sequence[str], folder: Path
) -> AsyncIterator[Generator]:
    """`users` of `classes` come, `per_s` a second, and call `url`; ended afterwards."""
    file, log = folder / "plan.json", folder / "generator.log"
    file.write_bytes(msgspec.json.encode(plan))
    command = ["-m", "locust", "-f", str(USERS_FILE), "--headless", "-u", str(users), "-r", str(per_s)]
    command += ["-H", url, "--loglevel", "WARNING", "--only-summary", *classes]
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            cwd=ROOT,
            env={**os.environ, "LOAD_PLAN": str(file)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
        )
    try:
        yield Generator(process, plan, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
