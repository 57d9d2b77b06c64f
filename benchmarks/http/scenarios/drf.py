"""What needs the database: a page of history, before Django, by DRF in threads, by Django's ASGI handler."""

from __future__ import annotations

from benchmarks.http.contenders import DJANGO, DJANGO_ASGI, GATEWAY, PRO, Contender
from benchmarks.http.options import Options
from benchmarks.http.ratios import Ratio
from benchmarks.http.scenario import Scenario
from benchmarks.http.stage import Needs, Stage
from benchmarks.http.trial import trying
from benchmarks.http.wrk import Call
from benchmarks.side_by_side.tables import Row

LIMIT = 5


async def measure(stage: Stage, contender: Contender, options: Options) -> list[Row]:
    """All symbols in turn."""
    calls = [Call(f"{one.path}/history?limit={LIMIT}", one.headers) for one in stage.calls(contender)]
    async with trying(stage, contender, options) as trial:
        return [Row(contender.name, await trial.load(calls))]


SCENARIO = Scenario(
    name="drf",
    title=lambda o: (
        f"GET of the last {LIMIT} predictions of a symbol, read from the database, "
        f"{o.connections} connections, 1 key, {o.symbols} symbols, {o.seconds} s a round"
    ),
    measure=measure,
    needs=lambda o: Needs(symbols=o.symbols, depth=2 * LIMIT),
    ratios=(
        Ratio(DJANGO, DJANGO_ASGI, floor=3, aim=5),
        Ratio(GATEWAY, DJANGO_ASGI, floor=3, aim=5),
    ),
    contenders=(GATEWAY, DJANGO, PRO, DJANGO_ASGI),
    by_default=(GATEWAY, DJANGO, DJANGO_ASGI),
)
