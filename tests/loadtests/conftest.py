"""A gateway that load tests may load: a stack of its own, seen as a site."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from benchmarks.http.supply import Supply
from benchmarks.side_by_side import send_times
from benchmarks.side_by_side.feeding import feeding
from benchmarks.side_by_side.ground import Ground
from loadtests.population import Population, Wanted, populate
from loadtests.site import ENVIRON, Site
from tests.conftest import make_stack
from tests.servers import temporary_folder
from tests.stack import Stack

WANTED = Wanted(
    symbols=["LDA", "LDB", "LDC", "LDD"],
    keys={"enterprise": 2, "pro": 1, "free": 1},
    people=2,
    history=40,
)


class OneSite:
    """Opens the same site again and again: what each measurement leaves does not matter here."""

    def __init__(self, ground: Ground, population: Population, roles: dict[str, int], port: int) -> None:
        self._ground = ground
        self._population = population
        self._roles = roles
        self._port = port

    @contextlib.asynccontextmanager
    async def open(self, wanted: Wanted, *, workers: int, depth: int) -> AsyncIterator[Site]:
        """Whatever is wanted; with a feeder of its own."""
        symbols, environ = WANTED.symbols, self._ground.environ
        async with feeding("stream", symbols, times=self._ground.times, environ=environ) as feeder:
            await feeder.feed(100.0, 0.2)
            supply = Supply(feeder, {"bridge": self._roles["bridge"], "feeder": feeder.pid})
            yield Site(self._ground, supply, self._population, symbols, self._port, self._roles)


@pytest.fixture(scope="module")
def sites(postgres_url: str) -> Iterator[OneSite]:
    """One site of a stack with bridge, worker and web."""
    with contextlib.ExitStack() as held:
        folder = held.enter_context(temporary_folder())
        made = make_stack(held, postgres_url)
        made.environ |= ENVIRON
        starts = {"bridge": made.start_bridge, "worker": made.start_worker, "web": made.start_web}
        roles = {role: _pid(start()) for role, start in starts.items()}
        ground = _ground(made, folder)
        yield OneSite(ground, populate(ground, WANTED), roles, int(made.base_url.rpartition(":")[2]))


def _pid(process: subprocess.Popen[bytes]) -> int:
    return process.pid


def _ground(made: Stack, folder: Path) -> Ground:
    ground = Ground(folder, made.environ, {}, made.key)
    send_times.create(ground.times)
    return ground
