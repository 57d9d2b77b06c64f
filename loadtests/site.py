"""A whole gateway as it is deployed, on servers of its own: web workers, bridge, worker, and its feeder."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from benchmarks.http.supply import Supply, supplying
from benchmarks.side_by_side import processes, send_times
from benchmarks.side_by_side.ground import ROOT, Ground, standing
from benchmarks.side_by_side.processes import Meter
from benchmarks.sockets.audience import Audience
from gateway_project import embedded
from loadtests.population import Population, Wanted, populate

# Values grow old within a measurement, access lines are written as they are unless somebody says otherwise,
# and every user has an address.
ENVIRON = {"STALE_AFTER_S": "86400", "LOG_LEVEL": "INFO", "TRUSTED_PROXIES": "127.0.0.0/8"}


@dataclass(frozen=True, slots=True)
class Site:
    """Everything is up, and every symbol has its predictions."""

    ground: Ground
    supply: Supply
    population: Population
    symbols: list[str]
    port: int
    roles: dict[str, int]

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{embedded.LOOPBACK}:{self.port}"

    def meter(self, **others: int) -> Meter:
        """Measures the CPU of all roles, and of `others` by their process."""
        return Meter({**self.roles, "feeder": self.supply.feeder.pid, **others})

    def audience(self) -> Audience:
        """Sockets of the ground's key; nobody yet."""
        times = send_times.open_table(self.ground.times)
        return Audience(self.port, {"X-API-Key": self.ground.key}, self.symbols, times)


class Sites(Protocol):
    """Where sites come from."""

    def open(self, wanted: Wanted, *, workers: int, depth: int) -> AbstractAsyncContextManager[Site]:
        """A site with what is `wanted`: `workers` processes serve, each symbol has `depth` predictions."""


class FreshSites:
    """A ground for each site: what one measurement leaves in the stores must not weigh on the next."""

    def __init__(self, database: str, nats_sync: str) -> None:
        self._database = database
        self._nats_sync = nats_sync

    @contextlib.asynccontextmanager
    async def open(self, wanted: Wanted, *, workers: int, depth: int) -> AsyncIterator[Site]:
        """Bring it up, and take it down."""
        with standing(self._database, self._nats_sync) as bare, bare.telling_why():
            ground = replace(bare, environ=bare.environ | ENVIRON)
            population = populate(ground, wanted)
            symbols = wanted.symbols
            async with supplying(ground, symbols, updated=symbols, depth=depth) as supply:
                with contextlib.ExitStack() as stack:
                    port, roles = _start(ground, workers, stack)
                    roles |= {"bridge": supply.pids["bridge"], **ground.pids}
                    yield Site(ground, supply, population, symbols, port, roles)


def _start(ground: Ground, workers: int, stack: contextlib.ExitStack) -> tuple[int, dict[str, int]]:
    """The processes that a supply lacks, by their role, and the port of those that serve."""
    port = embedded.free_port()
    serve = ["serve", "--port", str(port), "--workers", str(workers)]
    roles = {}
    for role, arguments, listens_on in (("web", serve, port), ("worker", ["explain_worker"], None)):
        running = processes.running(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            environ=ground.environ,
            log=ground.folder / f"{role}.log",
            port=listens_on,
        )
        roles[role] = stack.enter_context(running)
    return port, roles
