"""Does memory grow while sockets come and go?"""

from __future__ import annotations

import asyncio
import time

from benchmarks.side_by_side.feeding import make_symbols
from benchmarks.side_by_side.figures import slope
from benchmarks.side_by_side.ground import Ground
from benchmarks.side_by_side.tables import CLIENT_CPU, OTHERS_CPU, SERVER_CPU, Column, Row
from benchmarks.sockets.contenders import GATEWAY, Contender
from benchmarks.sockets.options import Options
from benchmarks.sockets.scenario import Scenario
from benchmarks.sockets.trial import Trial, trying

SAMPLES = 200
# The first part fills caches and pools once; what grows after it grows for ever.
SETTLING = 0.2


async def measure(ground: Ground, contender: Contender, options: Options) -> list[Row]:
    """Churn, and a line through the samples of resident memory."""
    rate, seconds = options.rate * options.symbols, options.memory_seconds
    async with trying(ground, contender, make_symbols(options.symbols)) as trial:
        await trial.fill()
        staying, visiting = trial.audience(), trial.audience()
        await staying.seat(options.memory_sockets)
        meter = trial.meter()
        samples, fed, (let_in, refused) = await asyncio.gather(
            _sample(trial, seconds),
            trial.feeder.feed(rate, seconds),
            visiting.churn(options.churn_rate, seconds, options.churn_stay_s),
        )
        shares = meter.shares()
        settled = samples[int(len(samples) * SETTLING) :]
        rise, error = slope(settled)
        figures = {
            "begin": settled[0][1] / 1024,
            "end": settled[-1][1] / 1024,
            "slope": 60 * rise,
            "error": 60 * error,
            "per_visit": 1024 * rise / options.churn_rate,
            "lost": await staying.receive_all(fed),
            "visits": let_in,
            "refused": refused,
            **shares,
        }
        staying.vanish()
        visiting.vanish()
        return [Row(contender.name, figures)]


async def _sample(trial: Trial, seconds: float) -> list[tuple[float, float]]:
    """Time in seconds and resident KB."""
    begun, samples = time.monotonic(), []
    for number in range(SAMPLES):
        await asyncio.sleep(begun + number * seconds / SAMPLES - time.monotonic())
        samples.append((time.monotonic(), float(trial.resident_kb())))
    return samples


SCENARIO = Scenario(
    name="memory",
    title=lambda o: (
        f"resident memory over {o.memory_seconds / 60:g} min in which {o.churn_rate:g} sockets a second come "
        f"and go beside {o.memory_sockets:,} that get {o.memory_sockets * o.rate:,.0f} deliveries/s; "
        f"least squares without the first fifth"
    ),
    columns=(
        Column("begin", "MB after a fifth"),
        Column("end", "MB at the end"),
        Column("slope", "slope KB/min", 0),
        Column("error", "± KB/min", 0),
        Column("per_visit", "bytes a visitor", 0),
        Column("lost", "lost", 0),
        Column("visits", "visitors", 0),
        Column("refused", "refused", 0),
        SERVER_CPU,
        CLIENT_CPU,
        OTHERS_CPU,
    ),
    measure=measure,
    by_default=(GATEWAY,),
    rounds=1,
)
