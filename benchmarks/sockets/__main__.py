"""Socket benchmarks: the gateway beside FastAPI, Node ws and a bare picows server, on servers of their own.

Scenarios: steady, burst, connect, churn, reconnect, memory, latest, two-workers, bridge. Contenders take
turns within a round; a figure is the median over the rounds with its range, a ratio (x) is to picows in the
same run. Needs Linux, Node 20 and, for --database postgres, an installed Postgres. Nothing but loopback is
used.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence

import uvloop

from benchmarks.side_by_side import command, machine, options
from benchmarks.side_by_side.ground import Ground, standing
from benchmarks.side_by_side.processes import allow_many_files
from benchmarks.side_by_side.tables import Row, render
from benchmarks.sockets.contenders import CONTENDERS, GATEWAY, REFERENCE
from benchmarks.sockets.options import Options
from benchmarks.sockets.peers import PEERS
from benchmarks.sockets.scenario import Scenario
from benchmarks.sockets.scenarios import SCENARIOS

MODULE = "benchmarks.sockets"
HEADING = "## Sockets"
NOTES = """\
A cell is the median over the rounds (in `burst` over all bursts), with the least and the most in brackets; x
is the ratio to picows in the same run. CPU is per cent of one core; `client-bound` marks rows in which the
load client used more than 80 % of its core: they tell at least as much of it as of the server.
"""
_OWN = ("uvicorn", "websockets", "uvloop", "channels", "channels_redis", "Django", "redis", "nats-py")
_PYTHON_PEERS = ("fastapi", "uvicorn", "picows", "redis")
_NODE_PEERS = ("ws", "ioredis")


def main() -> None:
    """The command line."""
    parser = command.make_parser(MODULE, __doc__, scenarios=list(SCENARIOS), contenders=list(CONTENDERS))
    options.add_to(parser, Options)
    parsed = parser.parse_args()
    allow_many_files()
    if any(set(_taking_part(SCENARIOS[name], parsed)) - {GATEWAY} for name in parsed.scenarios):
        PEERS.install()
    for name in parsed.scenarios:
        scenario = SCENARIOS[name]
        # What one scenario leaves in the stores must not weigh on the next.
        with standing(parsed.database, parsed.nats_sync) as ground:
            section = _run(ground, scenario, _taking_part(scenario, parsed), options.read(parsed, Options))
        command.print_section(HEADING, name, section)
        if parsed.write:
            about = [NOTES, *machine.describe(_OWN, PEERS, python=_PYTHON_PEERS, node=_NODE_PEERS)]
            command.keep(parsed.write, MODULE, heading=HEADING, about=about, scenario=name, section=section)


def _taking_part(scenario: Scenario, parsed: argparse.Namespace) -> list[str]:
    chosen = scenario.by_default if parsed.contenders is None else parsed.contenders
    return [name for name in chosen if name in scenario.contenders]


def _run(ground: Ground, scenario: Scenario, contenders: Sequence[str], chosen: Options) -> str:
    """All rounds of one scenario: what was measured, and the table."""
    rows: list[Row] = []
    for number in range(min(chosen.rounds, scenario.rounds or chosen.rounds)):
        for name in contenders:
            command.say(f"{scenario.name}, round {number + 1}: {name} ...")
            begun = time.monotonic()
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                rows += runner.run(scenario.measure(ground, CONTENDERS[name], chosen))
            command.say(f"  {time.monotonic() - begun:.0f} s")
    table = render(scenario.columns, rows, reference=REFERENCE) if rows else "Nobody took part."
    title = scenario.title(chosen)
    return f"{title[0].upper()}{title[1:]}.\n\n{table}\n"


if __name__ == "__main__":
    main()
