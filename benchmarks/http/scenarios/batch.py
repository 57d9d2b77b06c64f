"""Many predictions by one call, plain and compressed: how fast, and how much goes over the wire."""

from __future__ import annotations

from benchmarks.http.contenders import DJANGO, GATEWAY, PRO, Contender
from benchmarks.http.options import Options
from benchmarks.http.ratios import Ratio
from benchmarks.http.scenario import LOAD_COLUMNS, Scenario
from benchmarks.http.stage import Needs, Stage
from benchmarks.http.trial import trying
from benchmarks.http.wrk import Call
from benchmarks.side_by_side.tables import Column, Row

SYMBOLS = 100


async def measure(stage: Stage, contender: Contender, options: Options) -> list[Row]:
    """A row without Accept-Encoding and one with it."""
    path = f"/api/predictions?symbols={','.join(stage.symbols)}"
    headers = stage.calls(contender)[0].headers
    async with trying(stage, contender, options) as trial:
        plain = await trial.load([Call(path, headers)])
        packed = await trial.load([Call(path, headers | {"Accept-Encoding": "gzip"})])
    packed["saving"] = 100 * (1 - packed["bytes"] / plain["bytes"])
    return [Row(f"{contender.name}, plain", plain), Row(f"{contender.name}, gzip", packed)]


SCENARIO = Scenario(
    name="batch",
    title=lambda o: (
        f"GET of {SYMBOLS} predictions by one call, {o.connections} connections, 1 key, {o.seconds} s a "
        f"round, {o.updates:g} updates/s meanwhile"
    ),
    measure=measure,
    columns=(
        *LOAD_COLUMNS[:3],
        Column("bytes", "bytes on the wire", 0),
        Column("saving", "saving %"),
        *LOAD_COLUMNS[3:],
    ),
    needs=lambda _: Needs(symbols=SYMBOLS),
    ratios=(
        Ratio(f"{GATEWAY}, gzip", f"{GATEWAY}, plain"),
        Ratio(f"{GATEWAY}, plain", f"{DJANGO}, plain"),
        Ratio(f"{GATEWAY}, gzip", f"{DJANGO}, gzip"),
    ),
    contenders=(GATEWAY, PRO, DJANGO),
    by_default=(GATEWAY, DJANGO),
)
