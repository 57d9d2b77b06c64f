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

from benchmarks.side_by_side import command, options
from benchmarks.side_by_side.processes import allow_many_files
from loadtests import results
from loadtests.options import Options
from loadtests.scenario import Result, Scenario
from loadtests.scenarios import SCENARIOS
from loadtests.site import FreshSites, Sites

MODULE = "loadtests"


def main() -> None:
    """The command line."""
    parser = command.make_parser(
        MODULE, __doc__, scenarios=list(SCENARIOS), database="postgres", results=results.RESULTS
    )
    options.add_to(parser, Options)
    parsed = parser.parse_args()
    allow_many_files()
    sites = FreshSites(parsed.database, parsed.nats_sync)
    failed = 0
    for name in parsed.scenarios:
        result = run(SCENARIOS[name], sites, options.read(parsed, Options))
        failed += sum(not target.holds for target in result.targets)
        results.tell(parsed.write, MODULE, name, result)
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


if __name__ == "__main__":
    main()
