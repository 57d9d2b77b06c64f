"""Wide subscriptions to a fast flow, in mode ``latest``: only the newest of each symbol, every interval."""

from __future__ import annotations

from benchmarks.side_by_side.feeding import make_symbols
from benchmarks.side_by_side.ground import Ground
from benchmarks.side_by_side.tables import CLIENT_CPU, OTHERS_CPU, SERVER_CPU, Column, Row
from benchmarks.sockets.contenders import GATEWAY, Contender
from benchmarks.sockets.options import Options
from benchmarks.sockets.scenario import Scenario
from benchmarks.sockets.trial import trying

WARM_UP_S = 2.0


async def measure(ground: Ground, contender: Contender, options: Options) -> list[Row]:
    """Frames, updates and their age on arrival."""
    rate = options.latest_rate * options.symbols
    async with trying(ground, contender, make_symbols(options.symbols)) as trial:
        await trial.fill()
        empty_kb = trial.resident_kb()
        audience = trial.audience()
        await audience.seat_wide(options.latest_sockets, mode="latest", interval_ms=options.interval_ms)
        await trial.feeder.feed(rate, WARM_UP_S)
        tally = audience.count_anew()
        meter = trial.meter()
        fed = await trial.feeder.feed(rate, options.seconds)
        figures = {
            "frames": tally.frames / fed.took_s,
            "updates": tally.delivered / fed.took_s,
            "p50": tally.delays.share_ms(0.5),
            "p99": tally.delays.share_ms(0.99),
            "max": tally.delays.longest_ms,
            "repeated": tally.repeated,
            "kb": (trial.resident_kb() - empty_kb) / options.latest_sockets,
            "late": fed.late_ms,
            **meter.shares(),
        }
        audience.vanish()
        return [Row(contender.name, figures)]


SCENARIO = Scenario(
    name="latest",
    title=lambda o: (
        f"{o.latest_sockets:,} sockets with {o.symbols} symbols each in mode latest, {o.interval_ms} ms, "
        f"{o.latest_rate:g} updates/s a symbol, {o.seconds:g} s; age on arrival"
    ),
    columns=(
        Column("frames", "frames/s", 0),
        Column("updates", "updates/s", 0),
        Column("p50", "age p50 ms"),
        Column("p99", "age p99 ms"),
        Column("max", "age max ms"),
        Column("repeated", "repeated", 0),
        Column("kb", "KB a socket"),
        SERVER_CPU,
        CLIENT_CPU,
        OTHERS_CPU,
        Column("late", "feeder late ms"),
    ),
    measure=measure,
    contenders=(GATEWAY,),
    by_default=(GATEWAY,),
)
