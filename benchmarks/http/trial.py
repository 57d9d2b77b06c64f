"""One contender that is up: what every scenario begins with."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.http import checking, wrk
from benchmarks.http.contenders import Contender
from benchmarks.http.options import Options
from benchmarks.http.peers import PEERS
from benchmarks.http.stage import Stage
from benchmarks.http.wrk import Call, Figures
from benchmarks.side_by_side import processes
from benchmarks.side_by_side.processes import Meter
from gateway_project import embedded

# A server that meets every key or symbol for the first time is slow; it is not measured before it has.
_MOST_WARM_UPS = 30


@dataclass(frozen=True, slots=True)
class Trial:
    """A contender's process."""

    contender: Contender
    stage: Stage
    options: Options
    pid: int
    port: int

    async def load(self, calls: Sequence[Call], *, connections: int | None = None) -> dict[str, float]:
        """Warm up, then put it under load.

        The figures of `scenario.LOAD_COLUMNS`, ``bytes`` an answer, and the rate ``new`` of the warm-up.
        """
        connections = connections or self.options.connections
        file = self.stage.ground.folder / "calls"
        wrk.write_calls(file, calls)
        new = await self._warm_up(file, len(calls), connections)
        meter = self.meter()
        figures, _ = await asyncio.gather(
            wrk.run(self.port, file, connections=connections, seconds=self.options.seconds),
            self.stage.supply.trickle(self.options.updates, self.options.seconds),
        )
        return {"new": new, **_figures(figures), **self._cpu(meter, figures)}

    async def _warm_up(self, file: Path, count: int, connections: int) -> float:
        """Ask everything once at least; the rate at which that went."""
        done = took_us = 0
        for _ in range(_MOST_WARM_UPS):
            seconds = self.options.warm_up_s
            figures = await wrk.run(self.port, file, connections=connections, seconds=seconds, begin=done)
            done += figures.requests
            took_us += figures.duration_us
            if done >= count:
                return 1e6 * done / took_us
        raise wrk.LoadFailed(f"{self.contender.name} was too slow to be asked everything once")

    def _cpu(self, meter: Meter, figures: Figures) -> dict[str, float]:
        used_s = meter.used_s()
        return {"cpu_us": 1e6 * used_s["server"] / figures.requests, **meter.shares()}

    def meter(self) -> Meter:
        """Measures the CPU of the server, of wrk and of all that help."""
        pids = {"server": self.pid, **self.stage.supply.pids, **self.stage.ground.pids}
        return Meter(pids, client_s=wrk.client_s)

    def resident_mb(self) -> float:
        """Memory of the server's processes."""
        return processes.resident_kb(self.pid) / 1024


def _figures(figures: Figures) -> dict[str, float]:
    return {
        "rps": figures.per_s,
        "p50": figures.p50_us / 1000,
        "p99": figures.p99_us / 1000,
        "bytes": figures.bytes / figures.requests,
    }


@contextlib.asynccontextmanager
async def trying(stage: Stage, contender: Contender, options: Options) -> AsyncIterator[Trial]:
    """`contender` on a free port, found to do what the others do."""
    port = embedded.free_port()
    command = contender.command(stage.ground, port)
    with processes.running(
        command, environ=environ(stage, contender), log=stage.ground.log, port=port
    ) as pid:
        await asyncio.to_thread(checking.check, port, contender, stage.calls(contender)[0])
        yield Trial(contender, stage, options, pid, port)
        await asyncio.to_thread(checking.check, port, contender, stage.calls(contender)[0])


def environ(stage: Stage, contender: Contender) -> dict[str, str]:
    """The environment of a contender's process."""
    return {**stage.ground.environ, **PEERS.environ(), **contender.environ}
