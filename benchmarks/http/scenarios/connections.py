"""Few and many connections: what one request costs alone, and what a crowd does to it."""

from __future__ import annotations

from benchmarks.http.contenders import CONSTANT, FASTAPI, FASTIFY, GATEWAY, PRO, TWO_WORKERS, Contender
from benchmarks.http.options import Options
from benchmarks.http.ratios import Added
from benchmarks.http.scenario import LOAD_COLUMNS, Scenario
from benchmarks.http.stage import Stage
from benchmarks.http.trial import trying
from benchmarks.side_by_side.tables import Column, Row

COUNTS = (1, 100, 1_000)
# One request at a time: nothing waits for another, so that a difference of times is one of work.
_ALONE = "1 connection"


async def measure(stage: Stage, contender: Contender, options: Options) -> list[Row]:
    """A row for each count, by one server."""
    rows = []
    async with trying(stage, contender, options) as trial:
        for count in COUNTS:
            label = f"{contender.name}, {count:,} connection{'' if count == 1 else 's'}"
            rows.append(Row(label, await trial.load(stage.calls(contender), connections=count)))
    return rows


SCENARIO = Scenario(
    name="connections",
    title=lambda o: (
        f"GET of one prediction over {', '.join(f'{count:,}' for count in COUNTS)} connections, 1 key, "
        f"{o.symbols} symbols, {o.seconds} s a round, {o.updates:g} updates/s meanwhile"
    ),
    measure=measure,
    columns=(LOAD_COLUMNS[0], Column("p50", "p50 ms", 3), Column("p99", "p99 ms", 3), *LOAD_COLUMNS[3:]),
    ratios=tuple(
        Added(f"{name}, {_ALONE}", f"{CONSTANT}, {_ALONE}", key=key)
        for name in (GATEWAY, PRO, FASTAPI, FASTIFY)
        for key in ("p50", "p99")
    ),
    contenders=(GATEWAY, PRO, TWO_WORKERS, FASTAPI, FASTIFY, CONSTANT),
    by_default=(GATEWAY, PRO, FASTAPI, FASTIFY, CONSTANT),
)
