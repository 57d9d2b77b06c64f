"""A server starts: how long until its first answer, and how much memory it holds then and after work."""

from __future__ import annotations

import asyncio
import time

from benchmarks.http import checking
from benchmarks.http.contenders import CONTENDERS, FASTAPI, FASTIFY, GATEWAY, TWO_WORKERS, Contender
from benchmarks.http.options import Options
from benchmarks.http.scenario import Scenario
from benchmarks.http.stage import Stage
from benchmarks.http.trial import Trial, environ
from benchmarks.http.wrk import Call, LoadFailed
from benchmarks.side_by_side import processes
from benchmarks.side_by_side.tables import OTHERS_CPU, Column, Row
from gateway_project import embedded

POLL_S = 0.005
STARTED_WITHIN_S = 60.0


async def measure(stage: Stage, contender: Contender, options: Options) -> list[Row]:
    """From the start of the process to a 200; the stores are up and filled."""
    port = embedded.free_port()
    command = contender.command(stage.ground, port)
    begun = time.monotonic()
    with processes.running(command, environ=environ(stage, contender), log=stage.ground.log) as pid:
        calls = stage.calls(contender)
        took_s = await asyncio.to_thread(_until_answered, port, calls[0], begun)
        trial = Trial(contender, stage, options, pid, port)
        await asyncio.sleep(options.idle_s)
        idle_mb = trial.resident_mb()
        figures = await trial.load(calls)
        figures |= {"start": took_s, "idle": idle_mb, "loaded": trial.resident_mb()}
    return [Row(contender.name, figures)]


def _until_answered(port: int, call: Call, begun: float) -> float:
    while time.monotonic() - begun < STARTED_WITHIN_S:
        try:
            answer = checking.ask(port, call)
        except OSError:
            time.sleep(POLL_S)
            continue
        if answer.status != 200:
            raise LoadFailed(f"the first answer is {answer}")
        return time.monotonic() - begun
    raise LoadFailed("it does not start")


SCENARIO = Scenario(
    name="start",
    title=lambda o: (
        f"from the start of the process to the first 200; resident memory {o.idle_s:g} s later, and after "
        f"{o.warm_up_s + o.seconds} s of reads over {o.connections} connections"
    ),
    measure=measure,
    columns=(
        Column("start", "s to the first 200", 2),
        Column("idle", "MB idle"),
        Column("loaded", "MB after load"),
        OTHERS_CPU,
    ),
    contenders=tuple(CONTENDERS),
    by_default=(GATEWAY, TWO_WORKERS, FASTAPI, FASTIFY),
)
