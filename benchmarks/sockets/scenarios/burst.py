"""One update for everybody at once: when the median socket has it, and when the last."""

from __future__ import annotations

import asyncio
import math

from benchmarks.side_by_side.feeding import make_symbols
from benchmarks.side_by_side.ground import Ground
from benchmarks.side_by_side.tables import CLIENT_CPU, OTHERS_CPU, SERVER_CPU, Column, Row
from benchmarks.sockets.audience import Audience
from benchmarks.sockets.contenders import Contender
from benchmarks.sockets.options import Options
from benchmarks.sockets.scenario import Scenario
from benchmarks.sockets.trial import Trial, trying

WARM_UP = 3


async def measure(ground: Ground, contender: Contender, options: Options) -> list[Row]:
    """A row for each burst."""
    async with trying(ground, contender, make_symbols(1)) as trial:
        audience = trial.audience()
        await audience.seat(options.sockets)
        rows = []
        for _ in range(WARM_UP + options.bursts):
            rows.append(Row(contender.name, await _burst(trial, audience)))
            # A socket of the gateway gets 10 frames a second at most: bursts stay well below that.
            await asyncio.sleep(options.burst_gap_s)
        audience.vanish()
        return rows[WARM_UP:]


async def _burst(trial: Trial, audience: Audience) -> dict[str, float]:
    tally = audience.count_anew()
    meter = trial.meter()
    lost = await audience.receive_all(await trial.feeder.feed_one())
    # Nothing else goes on, so all that was used is the burst's.
    last_ms = tally.delays.longest_ms
    server_s = meter.used_s()["server"]
    return {
        "median": tally.delays.share_ms(0.5),
        "last": last_ms,
        "lost": lost,
        "cpu_us": 1e6 * server_s / tally.delivered if tally.delivered else math.nan,
        **meter.shares(within_s=last_ms / 1000),
        "others_cpu": meter.shares()["others_cpu"],
    }


SCENARIO = Scenario(
    name="burst",
    title=lambda o: (
        f"one symbol to all of {o.sockets:,} sockets, {o.bursts} bursts a round, {o.burst_gap_s:g} s apart"
    ),
    columns=(
        Column("median", "median socket ms", ratio=True),
        Column("last", "last socket ms", ratio=True),
        Column("lost", "lost", 0),
        Column("cpu_us", "server CPU µs a socket", ratio=True),
        SERVER_CPU,
        CLIENT_CPU,
        OTHERS_CPU,
    ),
    measure=measure,
)
