"""HTTP benchmarks: the gateway beside FastAPI, Fastify and a constant answer, on servers of their own.

Scenarios: reads, revalidation, symbols, keys, connections, batch, start, drf. Contenders take turns within a
round; a figure is the median over the rounds with its range, and so is a ratio, which is taken within each
round. The load is made by wrk on one thread. Needs Linux, wrk, Node 20 and, for --database postgres, an
installed Postgres. Nothing but loopback is used.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence

import uvloop

from benchmarks.http import ratios, wrk
from benchmarks.http.contenders import CONTENDERS
from benchmarks.http.options import Options
from benchmarks.http.peers import PEERS
from benchmarks.http.scenario import Scenario
from benchmarks.http.scenarios import SCENARIOS
from benchmarks.http.stage import staging
from benchmarks.side_by_side import command, machine, options
from benchmarks.side_by_side.ground import Ground, standing
from benchmarks.side_by_side.processes import allow_many_files
from benchmarks.side_by_side.tables import Row, render

MODULE = "benchmarks.http"
HEADING = "## HTTP"
NOTES = """\
A cell is the median over the rounds, with the least and the most in brackets. A ratio is taken within each
round; its median, least and most over the rounds are shown. CPU is per cent of one core; `client-bound` marks
rows in which wrk used more than 80 % of its core: they tell at least as much of it as of the server. All
contenders but the constant ones look the key up by its SHA-256, count the call, and answer with the same
fields, a weak ETag and 304s.

- `gateway` is asked with a key without limits. It answers from its own memory, which hears of every change
  within a second: it asks Redis neither for the key, nor for a count, nor for the value. `gateway-pro` is
  asked with a key that has two limits, which are counted in Redis for each call, and gives a 304 back.
- `fastapi` and `fastify` are what their makers advise: Redis is asked for the key's record, its count and
  the value, and a model or a schema makes the answer. `fastapi-script` and `fastify-script` go as far as
  tuning goes: one script in Redis does all three, and FastAPI's model is left out. They keep nothing: one
  that kept keys and values in memory would be faster, and was not measured.
- So `gateway : fastapi` compares two designs, not two frameworks; `gateway-pro : fastapi` has Redis on both
  sides.
- `gateway-django` is the gateway without hot reads, `django-asgi` the same Django behind Django's own ASGI
  handler, where nothing counts calls. `gateway-granian` is the role web on granian, with hot reads in front
  of the rim (docs/adr/0013).
- Server, client and stores share the cores, and what the host takes away is among "others' CPU": compare
  within a round, and CPU for each request before rates. At 100 connections times are mostly waiting; what a
  server adds is told by one connection. uvicorn takes one new connection a turn, which is part of its p99.
"""
_OWN = ("uvicorn", "httptools", "uvloop", "Django", "djangorestframework", "a2wsgi", "redis", "nats-py")
_PYTHON_PEERS = ("fastapi", "uvicorn", "pydantic", "redis", "hiredis", "granian")
_NODE_PEERS = ("fastify", "ioredis")


def main() -> None:
    """The command line."""
    parser = command.make_parser(MODULE, __doc__, scenarios=list(SCENARIOS), contenders=list(CONTENDERS))
    options.add_to(parser, Options)
    parsed = parser.parse_args()
    wrk.find()
    allow_many_files()
    PEERS.install()
    chosen = options.read(parsed, Options)
    for name in parsed.scenarios:
        scenario = SCENARIOS[name]
        # What one scenario leaves in the stores must not weigh on the next.
        with (
            standing(parsed.database, parsed.nats_sync) as ground,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            section = runner.run(_run(ground, scenario, _taking_part(scenario, parsed), chosen))
        command.print_section(HEADING, name, section)
        if parsed.write:
            about = [NOTES, *machine.describe(_OWN, PEERS, python=_PYTHON_PEERS, node=_NODE_PEERS)]
            about.append(f"- Client: {wrk.version()}, one thread")
            command.keep(parsed.write, MODULE, heading=HEADING, about=about, scenario=name, section=section)


def _taking_part(scenario: Scenario, parsed: argparse.Namespace) -> list[str]:
    chosen = scenario.by_default if parsed.contenders is None else parsed.contenders
    return [name for name in chosen if name in scenario.contenders]


async def _run(ground: Ground, scenario: Scenario, contenders: Sequence[str], chosen: Options) -> str:
    """All rounds of one scenario: what was measured, and the tables."""
    rows: list[Row] = []
    async with staging(ground, scenario.needs(chosen)) as stage:
        for number in range(chosen.rounds):
            # Each round another one begins.
            turn = number % max(1, len(contenders))
            for name in (*contenders[turn:], *contenders[:turn]):
                command.say(f"{scenario.name}, round {number + 1}: {name} ...")
                begun = time.monotonic()
                rows += await scenario.measure(stage, CONTENDERS[name], chosen)
                command.say(f"  {time.monotonic() - begun:.0f} s")
    table = render(scenario.columns, rows) if rows else "Nobody took part."
    title = scenario.title(chosen)
    parts = [f"{title[0].upper()}{title[1:]}.", table, ratios.render(scenario.ratios, rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


if __name__ == "__main__":
    main()
