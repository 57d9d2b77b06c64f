"""A client that has the newest prediction already: 304, without a body."""

from __future__ import annotations

import asyncio

from benchmarks.http import checking
from benchmarks.http.contenders import DJANGO, FASTAPI, FASTIFY, GATEWAY, PRO, Contender
from benchmarks.http.options import Options
from benchmarks.http.ratios import Ratio
from benchmarks.http.scenario import LOAD_COLUMNS, Scenario
from benchmarks.http.stage import Needs, Stage
from benchmarks.http.trial import Trial, trying
from benchmarks.http.wrk import Call, LoadFailed
from benchmarks.side_by_side.tables import Column, Row


async def measure(stage: Stage, contender: Contender, options: Options) -> list[Row]:
    """Ask for every symbol's validator, then only with them; they hold before and after the load."""
    async with trying(stage, contender, options) as trial:
        calls = await asyncio.to_thread(_with_validators, trial)
        await asyncio.to_thread(_check_unchanged, trial, calls)
        figures = await trial.load(calls)
        await asyncio.to_thread(_check_unchanged, trial, calls)
        return [Row(contender.name, figures)]


def _with_validators(trial: Trial) -> list[Call]:
    calls = trial.stage.calls(trial.contender)
    tags = [checking.ask(trial.port, call)["ETag"] for call in calls]
    return [
        Call(call.path, call.headers | {"If-None-Match": tag}) for call, tag in zip(calls, tags, strict=True)
    ]


def _check_unchanged(trial: Trial, calls: list[Call]) -> None:
    changed = [call.path for call in calls if checking.ask(trial.port, call).status != 304]
    if changed:
        raise LoadFailed(f"no 304 for {len(changed)} of {len(calls)}, first for {changed[0]}")


SCENARIO = Scenario(
    name="revalidation",
    title=lambda o: (
        f"GET of one prediction with If-None-Match, all answered by 304, {o.connections} connections, 1 key, "
        f"{o.symbols} symbols, {o.seconds} s a round, {o.updates:g} updates/s of other symbols meanwhile"
    ),
    measure=measure,
    columns=(*LOAD_COLUMNS, Column("bytes", "bytes an answer", 0)),
    needs=lambda o: Needs(symbols=o.symbols, are_updated=False),
    ratios=(Ratio(GATEWAY, FASTAPI), Ratio(GATEWAY, FASTIFY), Ratio(PRO, FASTAPI)),
    contenders=(GATEWAY, PRO, DJANGO, FASTAPI, FASTIFY),
    by_default=(GATEWAY, PRO, FASTAPI, FASTIFY),
)
