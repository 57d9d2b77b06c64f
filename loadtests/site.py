"""A whole gateway as it is deployed, on servers of its own: web workers, bridge, worker, and its feeder."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.http.supply import Supply, supplying
from benchmarks.side_by_side import processes, send_times
from benchmarks.side_by_side.ground import ROOT, Ground
from benchmarks.side_by_side.processes import Meter
from benchmarks.sockets.audience import Audience
from gateway_project import embedded

# Values grow old within a measurement, access lines are written as they are unless somebody says otherwise,
# and every user has an address.
_ENVIRON = {"STALE_AFTER_S": "86400", "LOG_LEVEL": "INFO", "TRUSTED_PROXIES": "127.0.0.0/8"}


@dataclass(frozen=True, slots=True)
class Site:
    """Everything is up, and every symbol has its predictions."""

    ground: Ground
    supply: Supply
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


def furnished(ground: Ground) -> Ground:
    """The ground with the settings of a site."""
    return replace(ground, environ=ground.environ | _ENVIRON)


@contextlib.asynccontextmanager
async def opened(ground: Ground, symbols: Sequence[str], *, workers: int, depth: int) -> AsyncIterator[Site]:
    """A site on a `furnished` ground: `workers` processes serve, each symbol has `depth` predictions."""
    port = embedded.free_port()
    manage = [sys.executable, str(ROOT / "manage.py")]
    commands = {
        "web": [*manage, "serve", "--port", str(port), "--workers", str(workers)],
        "worker": [*manage, "explain_worker"],
    }
    async with supplying(ground, symbols, updated=symbols, depth=depth) as supply:
        with contextlib.ExitStack() as stack:
            roles = {}
            for role, command in commands.items():
                running = processes.running(
                    command,
                    environ=ground.environ,
                    log=ground.folder / f"{role}.log",
                    port=port if role == "web" else None,
                )
                roles[role] = stack.enter_context(running)
            roles |= {"bridge": supply.pids["bridge"], **ground.pids}
            yield Site(ground, supply, list(symbols), port, roles)
