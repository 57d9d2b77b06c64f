"""Load tests: users over REST by Locust, sockets beside them, what more data costs; on servers of their own.

Scenarios: generator, users-100, users-100-limits, users-1000, users-1000-limits, at-once, sockets, cost. What
was to hold and did not is said, and ends the program with an error. Needs Linux and an installed Postgres.
Nothing but loopback is used.
"""

from __future__ import annotations

import asyncio
import sys
import time

import uvloop

from benchmarks.side_by_side import command, machine, options
from benchmarks.side_by_side.ground import ROOT
from benchmarks.side_by_side.processes import allow_many_files
from loadtests.options import Options
from loadtests.scenario import Result, Scenario
from loadtests.scenarios import SCENARIOS
from loadtests.site import FreshSites, Sites

MODULE = "loadtests"
HEADING = "## Load"
RESULTS = ROOT / "loadtests" / "RESULTS.md"
TITLE = "# Results of the load tests"
NOTES = """\
Users are played by Locust's `FastHttpUser`, each over one connection and with an address of its own (told as
a proxy would). A call is counted if it begins within the counted time, and all of those are waited for. p50,
p95 and p99 are of answers that were served or confirmed by a 304. A 429 to a caller who has used up what its
tier allows is a declared answer; everything else that was not asked for is an error, an overloaded 503 and a
connection without an answer among them.

- A program reads a prediction (45 %), reads one again with its ETag (25 %), reads a batch of 10 to 50 (15 %),
  two pages of history (13 %), or orders an explanation and asks after it until it is there (2 %).
- A person logs in, works with the token, refreshes it, and logs in anew about every 5 minutes; a password
  costs half a second of CPU by design.
- CPU is per cent of one core over the counted time; PSS counts memory that processes share once, RSS for
  each. Access lines are written, as they are by default.

"""
_OWN = (
    "uvicorn",
    "httptools",
    "uvloop",
    "Django",
    "djangorestframework",
    "a2wsgi",
    "redis",
    "nats-py",
    "psycopg",
)
_GENERATOR = ("locust", "geventhttpclient", "gevent")


def main() -> None:
    """The command line."""
    parser = command.make_parser(
        MODULE, __doc__, scenarios=list(SCENARIOS), database="postgres", results=RESULTS
    )
    options.add_to(parser, Options)
    parsed = parser.parse_args()
    allow_many_files()
    sites = FreshSites(parsed.database, parsed.nats_sync)
    failed = 0
    for name in parsed.scenarios:
        result = run(SCENARIOS[name], sites, options.read(parsed, Options))
        failed += sum(not target.holds for target in result.targets)
        command.print_section(HEADING, name, result.section)
        if parsed.write:
            command.keep(
                parsed.write,
                MODULE,
                heading=HEADING,
                about=about(),
                scenario=name,
                section=result.section,
                title=TITLE,
            )
    if failed:
        sys.exit(f"{failed} of what was to hold did not")


def run(scenario: Scenario, sites: Sites, chosen: Options) -> Result:
    """Measure one scenario."""
    command.say(f"{scenario.name} ...")
    begun = time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(scenario.measure(sites, chosen))
    command.say(f"  {time.monotonic() - begun:.0f} s")
    return result


def about() -> list[str]:
    """What all sections share: how it is measured, on what, with which versions."""
    shared = "generator, feeder, servers and gateway share it"
    return [NOTES, *machine.describe_own(_OWN, shared=shared), f"- Generator: {machine.versions(_GENERATOR)}"]


if __name__ == "__main__":
    main()
