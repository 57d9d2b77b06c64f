"""Socket benchmarks: the gateway beside FastAPI, Node ws and a bare picows server, on servers of their own.

Scenarios: steady, burst, connect, churn, reconnect, memory, latest, two-workers, bridge. Contenders take
turns within a round; a figure is the median over the rounds with its range, a ratio (x) is to picows in the
same run. Needs Linux, Node 20 and, for --database postgres, an installed Postgres. Nothing but loopback is
used.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from benchmarks.sockets import machine, options, peers
from benchmarks.sockets.audience import allow_many_files
from benchmarks.sockets.contenders import CONTENDERS, GATEWAY
from benchmarks.sockets.ground import ROOT, Ground, standing
from benchmarks.sockets.options import Options
from benchmarks.sockets.scenario import Scenario
from benchmarks.sockets.scenarios import SCENARIOS
from benchmarks.sockets.tables import Row, render, replace_section

RESULTS = ROOT / "benchmarks" / "RESULTS.md"
HEADING = "## Sockets"
NOTES = """\
A cell is the median over the rounds (in `burst` over all bursts), with the least and the most in brackets; x
is the ratio to picows in the same run. CPU is per cent of one core; `client-bound` marks rows in which the
load client used more than 80 % of its core: they tell at least as much of it as of the server.
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sockets",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_list(parser, "--scenarios", list(SCENARIOS), default=list(SCENARIOS))
    _add_list(parser, "--contenders", list(CONTENDERS), default=None)
    parser.add_argument(
        "--database", default="sqlite", help="sqlite, postgres (a server of its own) or a URL"
    )
    parser.add_argument(
        "--nats-sync",
        choices=("always", "default"),
        default="always",
        help="always, as embedded; or NATS' own",
    )
    parser.add_argument(
        "--write",
        type=Path,
        nargs="?",
        const=RESULTS,
        metavar="FILE",
        help="keep results (benchmarks/RESULTS.md)",
    )
    options.add_to(parser)
    parsed = parser.parse_args()
    allow_many_files()
    if any(set(_taking_part(SCENARIOS[name], parsed)) - {GATEWAY} for name in parsed.scenarios):
        peers.install()
    for name in parsed.scenarios:
        scenario = SCENARIOS[name]
        # What one scenario leaves in the stores must not weigh on the next.
        with standing(parsed.database, parsed.nats_sync) as ground:
            section = _run(ground, scenario, _taking_part(scenario, parsed), options.read(parsed))
        sys.stdout.write(f"{HEADING}: {name}\n\n{section}\n")
        sys.stdout.flush()
        if parsed.write:
            _write(parsed.write, name, section)


def _add_list(
    parser: argparse.ArgumentParser, name: str, known: list[str], *, default: list[str] | None
) -> None:
    def read(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"not known: {', '.join(sorted(unknown))}")
        return chosen

    which = "those that the scenario asks for" if default is None else "all"
    meaning = f"of {', '.join(known)} ({which})"
    parser.add_argument(name, type=read, default=default, metavar="A,B", help=meaning)


def _taking_part(scenario: Scenario, parsed: argparse.Namespace) -> list[str]:
    chosen = scenario.by_default if parsed.contenders is None else parsed.contenders
    return [name for name in chosen if name in scenario.contenders]


def _run(ground: Ground, scenario: Scenario, contenders: Sequence[str], chosen: Options) -> str:
    """All rounds of one scenario: what was measured, and the table."""
    rows: list[Row] = []
    for number in range(min(chosen.rounds, scenario.rounds or chosen.rounds)):
        for name in contenders:
            _say(f"{scenario.name}, round {number + 1}: {name} ...")
            begun = time.monotonic()
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                rows += runner.run(scenario.measure(ground, CONTENDERS[name], chosen))
            _say(f"  {time.monotonic() - begun:.0f} s")
    table = render(scenario.columns, rows) if rows else "Nobody took part."
    title = scenario.title(chosen)
    return f"{title[0].upper()}{title[1:]}.\n\n{table}\n"


def _write(path: Path, name: str, section: str) -> None:
    """Put a scenario's section into the file; those of other scenarios stay, as does what others wrote."""
    command = shlex.join(["python", "-m", "benchmarks.sockets", *sys.argv[1:]])
    measured = f"{section}\nMeasured on {datetime.now(UTC):%Y-%m-%d}: `{command}`."
    text = path.read_text() if path.exists() else "# Results of the benchmarks\n"
    text = replace_section(text, HEADING, "\n".join([NOTES, *machine.describe()]))
    path.write_text(replace_section(text, f"{HEADING}: {name}", measured))


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
