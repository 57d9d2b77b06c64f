"""Sockets come and go while others get their updates: do those that stay notice?"""

from __future__ import annotations

import asyncio

from benchmarks.side_by_side.feeding import make_symbols
from benchmarks.side_by_side.ground import Ground
from benchmarks.side_by_side.tables import CLIENT_CPU, OTHERS_CPU, SERVER_CPU, Column, Row
from benchmarks.sockets.contenders import Contender
from benchmarks.sockets.options import Options
from benchmarks.sockets.scenario import Scenario
from benchmarks.sockets.trial import trying


async def measure(ground: Ground, contender: Contender, options: Options) -> list[Row]:
    """The steady feed to those that stay, and visitors beside them."""
    rate = options.rate * options.symbols
    async with trying(ground, contender, make_symbols(options.symbols)) as trial:
        staying, visiting = trial.audience(), trial.audience()
        await staying.seat(options.sockets)
        meter = trial.meter()
        fed, (let_in, refused) = await asyncio.gather(
            trial.feeder.feed(rate, options.seconds),
            visiting.churn(options.churn_rate, options.seconds, options.churn_stay_s),
        )
        shares = meter.shares()
        tally = staying.tally
        figures = {
            "p50": tally.delays.share_ms(0.5),
            "p99": tally.delays.share_ms(0.99),
            "max": tally.delays.longest_ms,
            "lost": await staying.receive_all(fed),
            "closed": sum(tally.closed.values()),
            "visits": let_in,
            "refused": refused,
            "visitors_lost": visiting.tally.skipped,
            **shares,
        }
        staying.vanish()
        visiting.vanish()
        return [Row(contender.name, figures)]


SCENARIO = Scenario(
    name="churn",
    title=lambda o: (
        f"{o.sockets:,} sockets stay and get {o.sockets * o.rate:,.0f} deliveries/s for {o.seconds:g} s, "
        f"{o.churn_rate:g} others a second come, subscribe, stay {o.churn_stay_s:g} s and go"
    ),
    columns=(
        Column("p50", "p50 ms", ratio=True),
        Column("p99", "p99 ms", ratio=True),
        Column("max", "max ms"),
        Column("lost", "lost", 0),
        Column("closed", "closed", 0),
        Column("visits", "visitors", 0),
        Column("refused", "refused", 0),
        Column("visitors_lost", "lost by visitors", 0),
        SERVER_CPU,
        CLIENT_CPU,
        OTHERS_CPU,
    ),
    measure=measure,
)
