"""Every socket gets a few updates a second: how late, whether all of them, and what a socket costs."""

from __future__ import annotations

import math

from benchmarks.side_by_side.feeding import make_symbols
from benchmarks.side_by_side.ground import Ground
from benchmarks.side_by_side.tables import CLIENT_CPU, OTHERS_CPU, SERVER_CPU, Column, Row
from benchmarks.sockets.contenders import Contender
from benchmarks.sockets.options import Options
from benchmarks.sockets.scenario import Scenario
from benchmarks.sockets.trial import trying

WARM_UP_S = 2.0


async def measure(ground: Ground, contender: Contender, options: Options) -> list[Row]:
    """Seat everybody, feed, and count."""
    rate = options.rate * options.symbols
    async with trying(ground, contender, make_symbols(options.symbols)) as trial:
        await trial.fill()
        empty_kb = trial.resident_kb()
        audience = trial.audience()
        await audience.seat(options.sockets)
        await audience.receive_all(await trial.feeder.feed(rate, WARM_UP_S))
        tally = audience.count_anew()
        meter = trial.meter()
        fed = await trial.feeder.feed(rate, options.seconds)
        shares, server_s = meter.shares(), meter.used_s()["server"]
        lost = await audience.receive_all(fed)
        figures = {
            "p50": tally.delays.share_ms(0.5),
            "p99": tally.delays.share_ms(0.99),
            "max": tally.delays.longest_ms,
            "lost": lost,
            "repeated": tally.repeated,
            "cpu_us": 1e6 * server_s / tally.delivered if tally.delivered else math.nan,
            "kb": (trial.resident_kb() - empty_kb) / options.sockets,
            "late": fed.late_ms,
            **shares,
        }
        audience.vanish()
        return [Row(contender.name, figures)]


SCENARIO = Scenario(
    name="steady",
    title=lambda o: (
        f"{o.sockets:,} sockets, {o.symbols} symbols, {o.sockets * o.rate:,.0f} deliveries/s "
        f"for {o.seconds:g} s"
    ),
    columns=(
        Column("p50", "p50 ms", ratio=True),
        Column("p99", "p99 ms", ratio=True),
        Column("max", "max ms"),
        Column("lost", "lost", 0),
        Column("repeated", "repeated", 0),
        Column("cpu_us", "server CPU µs a delivery", ratio=True),
        Column("kb", "KB a socket"),
        SERVER_CPU,
        CLIENT_CPU,
        OTHERS_CPU,
        Column("late", "feeder late ms"),
    ),
    measure=measure,
)
