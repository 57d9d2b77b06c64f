"""Two server processes behind one port: is the load even, and is anything lost?"""

from __future__ import annotations

from benchmarks.side_by_side import processes
from benchmarks.side_by_side.feeding import make_symbols
from benchmarks.side_by_side.ground import Ground
from benchmarks.side_by_side.tables import CLIENT_CPU, OTHERS_CPU, SERVER_CPU, Column, Row
from benchmarks.sockets.contenders import GATEWAY, Contender
from benchmarks.sockets.options import Options
from benchmarks.sockets.scenario import Scenario
from benchmarks.sockets.trial import trying

WORKERS = 2


async def measure(ground: Ground, contender: Contender, options: Options) -> list[Row]:
    """The steady feed, to more sockets than one process would hold."""
    rate = options.rate * options.symbols
    async with trying(ground, contender, make_symbols(options.symbols), workers=WORKERS) as trial:
        await trial.fill()
        empty_kb = trial.resident_kb()
        files = {pid: processes.count_files(pid) for pid in processes.family(trial.pid)}
        audience = trial.audience()
        await audience.seat(options.worker_sockets)
        held = sorted(processes.count_files(pid) - before for pid, before in files.items())[-WORKERS:]
        audience.count_anew()
        meter = trial.meter()
        fed = await trial.feeder.feed(rate, options.seconds)
        shares = meter.shares()
        lost = await audience.receive_all(fed)
        tally = audience.tally
        figures = {
            "lesser": held[0],
            "greater": held[-1],
            "p50": tally.delays.share_ms(0.5),
            "p99": tally.delays.share_ms(0.99),
            "max": tally.delays.longest_ms,
            "lost": lost,
            "repeated": tally.repeated,
            "kb": (trial.resident_kb() - empty_kb) / options.worker_sockets,
            **shares,
        }
        audience.vanish()
        return [Row(contender.name, figures)]


SCENARIO = Scenario(
    name="two-workers",
    title=lambda o: (
        f"{WORKERS} workers, {o.worker_sockets:,} sockets, {o.symbols} symbols, "
        f"{o.worker_sockets * o.rate:,.0f} deliveries/s for {o.seconds:g} s"
    ),
    columns=(
        Column("lesser", "sockets of the lesser worker", 0),
        Column("greater", "of the greater", 0),
        Column("p50", "p50 ms"),
        Column("p99", "p99 ms"),
        Column("max", "max ms"),
        Column("lost", "lost", 0),
        Column("repeated", "repeated", 0),
        Column("kb", "KB a socket"),
        SERVER_CPU,
        CLIENT_CPU,
        OTHERS_CPU,
    ),
    measure=measure,
    contenders=(GATEWAY,),
    by_default=(GATEWAY,),
)
