"""Does it matter how many symbols are read?"""

from __future__ import annotations

from benchmarks.http.contenders import FASTAPI, FASTIFY, GATEWAY, PRO, Contender
from benchmarks.http.options import Options
from benchmarks.http.scenario import Scenario
from benchmarks.http.stage import Needs, Stage
from benchmarks.http.trial import trying
from benchmarks.side_by_side.tables import Row

COUNTS = (10, 100, 1_000)


async def measure(stage: Stage, contender: Contender, options: Options) -> list[Row]:
    """A row for each count, by one server."""
    rows = []
    async with trying(stage, contender, options) as trial:
        for count in COUNTS:
            calls = stage.calls(contender, symbols=count)
            rows.append(Row(f"{contender.name}, {count:,} symbols", await trial.load(calls)))
    return rows


SCENARIO = Scenario(
    name="symbols",
    title=lambda o: (
        f"GET of one of {', '.join(f'{count:,}' for count in COUNTS)} symbols, {o.connections} connections, "
        f"1 key, {o.seconds} s a round, {o.updates:g} updates/s meanwhile"
    ),
    measure=measure,
    needs=lambda _: Needs(symbols=max(COUNTS)),
    contenders=(GATEWAY, PRO, FASTAPI, FASTIFY),
    by_default=(GATEWAY, FASTIFY),
)
