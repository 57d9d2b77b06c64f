"""The read that makes up nearly all traffic: one prediction, a key, many connections."""

from __future__ import annotations

from benchmarks.http.contenders import (
    CONSTANT,
    CONSTANT_GRANIAN,
    DJANGO,
    DJANGO_ASGI,
    FASTAPI,
    FASTIFY,
    GATEWAY,
    PRO,
    Contender,
)
from benchmarks.http.options import Options
from benchmarks.http.ratios import Ratio
from benchmarks.http.scenario import Scenario
from benchmarks.http.stage import Stage
from benchmarks.http.trial import trying
from benchmarks.side_by_side.tables import Row


async def measure(stage: Stage, contender: Contender, options: Options) -> list[Row]:
    """All symbols in turn."""
    async with trying(stage, contender, options) as trial:
        return [Row(contender.name, await trial.load(stage.calls(contender)))]


SCENARIO = Scenario(
    name="reads",
    title=lambda o: (
        f"GET of one prediction, {o.connections} connections, 1 key, {o.symbols} symbols, {o.seconds} s "
        f"a round, {o.updates:g} updates/s meanwhile"
    ),
    measure=measure,
    ratios=(
        Ratio(GATEWAY, FASTAPI, floor=8, aim=12),
        Ratio(GATEWAY, FASTIFY, floor=1, aim=1.5),
        Ratio(GATEWAY, CONSTANT, floor=0.6, aim=0.75),
        Ratio(PRO, FASTAPI, floor=3, aim=6),
        Ratio(PRO, FASTIFY),
        Ratio(GATEWAY, DJANGO),
        Ratio(DJANGO, DJANGO_ASGI),
    ),
    by_default=(GATEWAY, PRO, DJANGO, DJANGO_ASGI, FASTAPI, FASTIFY, CONSTANT, CONSTANT_GRANIAN),
)
