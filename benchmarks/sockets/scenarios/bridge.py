"""The whole way, from NATS to a socket, at rising rates: how many updates a second are carried in time."""

from __future__ import annotations

import math

from benchmarks.side_by_side.feeding import make_symbols
from benchmarks.side_by_side.ground import Ground
from benchmarks.side_by_side.tables import CLIENT_CPU, OTHERS_CPU, SERVER_CPU, Column, Row
from benchmarks.sockets.audience import Audience
from benchmarks.sockets.contenders import GATEWAY, Contender
from benchmarks.sockets.options import Options
from benchmarks.sockets.scenario import Scenario
from benchmarks.sockets.trial import Trial, trying

# One socket stands for many: it takes the whole flow, so it needs more than the 10 frames a second of a tier.
FRAMES_PER_S = 100
WANTED = {"mode": "batch", "interval_ms": 20}
WARM_UP_S = 3.0


async def measure(ground: Ground, contender: Contender, options: Options) -> list[Row]:
    """A row for each rate, up to the first at which the lag is too long."""
    rows = []
    ground.allow_frames(FRAMES_PER_S)
    async with trying(ground, contender, make_symbols(options.symbols), through_bridge=True) as trial:
        audience = trial.audience()
        await audience.seat_wide(options.bridge_sockets, **WANTED)
        await _carry(trial, audience, options, options.bridge_first, WARM_UP_S)
        rate = options.bridge_first
        while rate <= options.bridge_most:
            figures = await _carry(trial, audience, options, rate, options.bridge_seconds)
            rows.append(Row(f"{rate:,.0f} updates/s", figures))
            if not figures["p99"] <= options.bridge_lag_ms:
                break
            rate += options.bridge_step
        audience.vanish()
    return rows


async def _carry(
    trial: Trial, audience: Audience, options: Options, rate: float, seconds: float
) -> dict[str, float]:
    tally = audience.count_anew()
    meter = trial.meter()
    fed = await trial.feeder.feed(rate, seconds)
    count = fed.last - fed.first + 1
    lost = await audience.receive(count * options.bridge_sockets)
    return {
        "published": count / fed.took_s,
        "stored": fed.stored_ms or math.nan,
        "p50": tally.delays.share_ms(0.5),
        "p99": tally.delays.share_ms(0.99),
        "max": tally.delays.longest_ms,
        "lost": lost,
        "repeated": tally.repeated,
        **meter.shares(within_s=fed.took_s),
    }


SCENARIO = Scenario(
    name="bridge",
    title=lambda o: (
        f"publish to JetStream, bridge, database and Redis, {o.bridge_sockets} socket(s) with {o.symbols} "
        f"symbols in mode batch ({WANTED['interval_ms']} ms, at most {FRAMES_PER_S} frames/s); "
        f"{o.bridge_seconds:g} s a rate, until the p99 of the lag is above {o.bridge_lag_ms:g} ms"
    ),
    columns=(
        Column("published", "published/s", 0),
        Column("stored", "stored p50 ms"),
        Column("p50", "lag p50 ms"),
        Column("p99", "lag p99 ms"),
        Column("max", "lag max ms"),
        Column("lost", "lost", 0),
        Column("repeated", "repeated", 0),
        Column("bridge_cpu", "bridge CPU %", 0),
        SERVER_CPU,
        Column("nats_cpu", "NATS CPU %", 0),
        Column("postgres_cpu", "Postgres CPU %", 0),
        Column("valkey_cpu", "Valkey CPU %", 0),
        Column("feeder_cpu", "feeder CPU %", 0),
        CLIENT_CPU,
        OTHERS_CPU,
    ),
    measure=measure,
    contenders=(GATEWAY,),
    by_default=(GATEWAY,),
    rounds=1,
)
