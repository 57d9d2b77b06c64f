"""The read that makes up nearly all traffic: one prediction, a key, many connections."""

from __future__ import annotations

from benchmarks.http.contenders import (
    CONSTANT,
    CONSTANT_GRANIAN,
    DJANGO,
    DJANGO_ASGI,
    FASTAPI,
    FASTAPI_SCRIPT,
    FASTIFY,
    FASTIFY_SCRIPT,
    GATEWAY,
    GRANIAN,
    LOGGED,
    PRO,
    Contender,
)
from benchmarks.http.options import Options
from benchmarks.http.ratios import Added, Ratio
from benchmarks.http.scenario import LOAD_COLUMNS, Scenario
from benchmarks.http.stage import Stage
from benchmarks.http.trial import trying
from benchmarks.side_by_side.tables import Column, Row


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
    columns=(*LOAD_COLUMNS, Column("bytes", "bytes an answer", 0)),
    ratios=(
        Ratio(GATEWAY, FASTAPI, floor=8, aim=12),
        Ratio(GATEWAY, FASTIFY, floor=1, aim=1.5),
        Ratio(GATEWAY, CONSTANT, floor=0.6, aim=0.75),
        Ratio(LOGGED, GATEWAY),
        Ratio(LOGGED, FASTAPI),
        Ratio(PRO, FASTAPI, floor=3, aim=6),
        Ratio(PRO, FASTIFY),
        Ratio(GATEWAY, FASTAPI_SCRIPT),
        Ratio(GATEWAY, FASTIFY_SCRIPT),
        Ratio(PRO, FASTAPI_SCRIPT),
        Ratio(PRO, FASTIFY_SCRIPT),
        Ratio(GRANIAN, GATEWAY),
        Ratio(GRANIAN, CONSTANT_GRANIAN),
        Ratio(GATEWAY, DJANGO),
        Ratio(DJANGO, DJANGO_ASGI),
        *(
            Added(name, CONSTANT, key=key)
            for name in (GATEWAY, PRO, FASTAPI, FASTIFY)
            for key in ("p50", "p99")
        ),
    ),
    by_default=(
        *(GATEWAY, LOGGED, PRO, DJANGO, DJANGO_ASGI),
        *(FASTAPI, FASTIFY, FASTAPI_SCRIPT, FASTIFY_SCRIPT),
        *(CONSTANT, CONSTANT_GRANIAN, GRANIAN),
    ),
)
