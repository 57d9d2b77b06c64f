"""The feeder as a scenario uses it: a process that carries out plans."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.side_by_side.feeder import Fed, Plan, Ready

_READY_WITHIN_S = 30.0


def make_symbols(count: int) -> list[str]:
    """`count` symbols of three letters."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [letters[n // 676 % 26] + letters[n // 26 % 26] + letters[n % 26] for n in range(count)]


class FeederEnded(Exception):
    """The feeder's process has ended or does not get ready; what it said is on the error output."""


class Feeder:
    """One plan at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    async def feed(self, rate: float, seconds: float) -> Fed:
        """`rate` updates a second, for `seconds`; returns when the last was taken."""
        return await self._carry_out(Plan(round(rate * seconds), rate))

    async def feed_one(self) -> Fed:
        """One update, at once."""
        return await self._carry_out(Plan(1, 1.0))

    async def wait_until_ready(self) -> None:
        """Return when the contender listens to what is fed."""
        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                msgspec.json.decode(await self._read(), type=Ready)
        except TimeoutError:
            raise FeederEnded(f"the contender listens to nothing after {_READY_WITHIN_S:.0f} s") from None

    async def _carry_out(self, plan: Plan) -> Fed:
        if self._process.stdin is None:
            raise FeederEnded
        self._process.stdin.write(msgspec.json.encode(plan) + b"\n")
        return msgspec.json.decode(await self._read(), type=Fed)

    async def _read(self) -> bytes:
        line = b"" if self._process.stdout is None else await self._process.stdout.readline()
        if not line:
            raise FeederEnded
        return line


@contextlib.asynccontextmanager
async def feeding(
    sink: str, symbols: Sequence[str], *, times: Path, environ: Mapping[str, str], listeners: int = 1
) -> AsyncIterator[Feeder]:
    """A feeder for `sink` that is ready; ended afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.side_by_side.feeder", "--sink", sink, "--times", str(times)),
        *("--listeners", str(listeners), *symbols),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=dict(environ),
    )
    feeder = Feeder(process)
    try:
        await feeder.wait_until_ready()
        yield feeder
    finally:
        # It ends when its input does; whoever is in the middle of a plan is not waited for.
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
