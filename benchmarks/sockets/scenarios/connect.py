"""How many sockets a second are let in, up to the answer to their subscription."""

from __future__ import annotations

import time

from benchmarks.side_by_side.feeding import make_symbols
from benchmarks.side_by_side.ground import Ground
from benchmarks.side_by_side.tables import CLIENT_CPU, OTHERS_CPU, SERVER_CPU, Column, Row
from benchmarks.sockets.audience import AT_ONCE
from benchmarks.sockets.contenders import Contender
from benchmarks.sockets.options import Options
from benchmarks.sockets.scenario import Scenario
from benchmarks.sockets.trial import trying


async def measure(ground: Ground, contender: Contender, options: Options) -> list[Row]:
    """Seat everybody as fast as the server lets them in."""
    async with trying(ground, contender, make_symbols(options.symbols)) as trial:
        audience = trial.audience()
        # The first socket finds what no later one does: imports, caches, database connections.
        await audience.seat(min(100, options.sockets))
        meter, begun = trial.meter(), time.monotonic()
        took = sorted(await audience.seat(options.sockets))
        elapsed, shares, used = time.monotonic() - begun, meter.shares(), meter.used_s()
        figures = {
            "rate": options.sockets / elapsed,
            "p50": 1000 * took[len(took) // 2],
            "p99": 1000 * took[len(took) * 99 // 100],
            "cpu_us": 1e6 * used["server"] / options.sockets,
            "closed": sum(audience.tally.closed.values()),
            **shares,
        }
        audience.vanish()
        return [Row(contender.name, figures)]


SCENARIO = Scenario(
    name="connect",
    title=lambda o: (
        f"{o.sockets:,} sockets, {AT_ONCE} at once, each until it is welcomed and subscribed; "
        "the gateway alone checks a key"
    ),
    columns=(
        Column("rate", "sockets/s", 0, ratio=True),
        Column("p50", "p50 ms"),
        Column("p99", "p99 ms"),
        Column("cpu_us", "server CPU µs each", 0, ratio=True),
        Column("closed", "closed", 0),
        SERVER_CPU,
        CLIENT_CPU,
        OTHERS_CPU,
    ),
    measure=measure,
)
