"""One contender that is up and fed: what every scenario begins with."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from benchmarks.side_by_side import processes, send_times
from benchmarks.side_by_side.feeding import Feeder, feeding
from benchmarks.side_by_side.ground import Ground
from benchmarks.side_by_side.processes import Meter
from benchmarks.sockets.audience import Audience
from benchmarks.sockets.contenders import Contender
from benchmarks.sockets.peers import PEERS
from gateway_project import embedded

_FILLING = 21_000


@dataclass(frozen=True, slots=True)
class Trial:
    """A contender's process, and the feeder that listens for plans."""

    contender: Contender
    ground: Ground
    pid: int
    port: int
    feeder: Feeder
    symbols: list[str]
    sent_ns: memoryview[int]
    pids: dict[str, int]

    def audience(self) -> Audience:
        """Nobody yet; whoever is seated hears what the feeder is told to send."""
        headers = self.contender.headers(self.ground)
        return Audience(self.port, headers, self.symbols, self.sent_ns)

    def meter(self) -> Meter:
        """Measures the CPU of the server, the client and all that help."""
        return Meter({"server": self.pid, "feeder": self.feeder.pid, **self.pids, **self.ground.pids})

    async def fill(self) -> None:
        """Send updates to nobody, until the server has what it remembers of the flow.

        The gateway keeps the last 20,000 for those who come back: a cost of the process, not of a socket.
        """
        await self.feeder.feed(_FILLING / 4, 4.0)

    def resident_kb(self) -> int:
        """Memory of the server's processes."""
        return processes.resident_kb(self.pid)


@contextlib.asynccontextmanager
async def trying(
    ground: Ground,
    contender: Contender,
    symbols: list[str],
    *,
    workers: int = 1,
    through_bridge: bool = False,
) -> AsyncIterator[Trial]:
    """`contender` on a free port, with a feeder; with `through_bridge` fed through NATS and a bridge."""
    port = embedded.free_port()
    environ = ground.environ | PEERS.environ()
    with contextlib.ExitStack() as stack:
        pid = stack.enter_context(
            processes.running(
                contender.command(ground, port, workers), environ=environ, log=ground.log, port=port
            )
        )
        pids = {}
        if through_bridge:
            bridge = [*contender.command(ground, port, 1)[:2], "nats_bridge"]
            pids["bridge"] = stack.enter_context(processes.running(bridge, environ=environ, log=ground.log))
        sink = "stream" if through_bridge else contender.sink
        stack.enter_context(ground.telling_why())
        async with feeding(sink, symbols, times=ground.times, environ=environ, listeners=workers) as feeder:
            times = send_times.open_table(ground.times)
            yield Trial(contender, ground, pid, port, feeder, symbols, times, pids)
