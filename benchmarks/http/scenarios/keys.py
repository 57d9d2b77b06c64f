"""Does it matter how many keys are used?"""

from __future__ import annotations

from benchmarks.http.contenders import FASTAPI, FASTIFY, GATEWAY, PRO, Contender
from benchmarks.http.options import Options
from benchmarks.http.scenario import LOAD_COLUMNS, Scenario
from benchmarks.http.stage import Needs, Stage
from benchmarks.http.trial import trying
from benchmarks.side_by_side.tables import Column, Row


async def measure(stage: Stage, contender: Contender, options: Options) -> list[Row]:
    """A row for one key and one for many, by one server; all have been used before, in the warm-up."""
    rows = []
    async with trying(stage, contender, options) as trial:
        for count in (1, options.keys):
            calls = stage.calls(contender, keys=count)
            label = f"{contender.name}, {count:,} key{'' if count == 1 else 's'}"
            rows.append(Row(label, await trial.load(calls)))
    return rows


SCENARIO = Scenario(
    name="keys",
    title=lambda o: (
        f"GET of one prediction with 1 key and with {o.keys:,} in turn, {o.connections} connections, "
        f"{o.symbols} symbols, {o.seconds} s a round, {o.updates:g} updates/s meanwhile"
    ),
    measure=measure,
    columns=(*LOAD_COLUMNS, Column("new", "requests/s in the warm-up", 0)),
    needs=lambda o: Needs(symbols=o.symbols, keys=o.keys),
    contenders=(GATEWAY, PRO, FASTAPI, FASTIFY),
    by_default=(GATEWAY, PRO, FASTIFY),
)
