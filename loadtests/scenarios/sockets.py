"""Ten thousand sockets beside the users' calls: is every update delivered, and are calls answered in time?"""

from __future__ import annotations

import os
from dataclasses import replace

from loadtests import report
from loadtests.measuring import load, plan_of
from loadtests.options import Options
from loadtests.population import mix
from loadtests.report import Target
from loadtests.scenario import Result, Scenario
from loadtests.scenarios.users import UNLIMITED, many_targets, title, wanted
from loadtests.site import Sites


async def measure(sites: Sites, options: Options) -> Result:
    """Seat everybody, let the users call, feed, and count."""
    people = wanted(UNLIMITED, options)
    async with sites.open(people, workers=options.workers, depth=options.depth) as site:
        audience = site.audience()
        await audience.seat(options.sockets)
        plan = plan_of(site, mix(site.population.keys(), UNLIMITED), options)
        tally = audience.count_anew()
        taken = await load(site, plan, users=options.many_users, updates=options.socket_updates)
        lost = await audience.receive_all(taken.fed)
        audience.vanish()
    fed = replace(options, updates=options.socket_updates)
    held = [Target("updates lost on sockets", lost, 0, ""), *many_targets(taken)]
    delivered = (
        f"{tally.delivered:,} updates were delivered: p50 {tally.delays.share_ms(0.5):.1f} ms, p99 "
        f"{tally.delays.share_ms(0.99):.1f} ms, longest {tally.delays.longest_ms:.0f} ms from publishing; "
        f"{lost} lost, {tally.repeated} repeated, {sum(tally.closed.values())} sockets closed."
    )
    beside = title(options.many_users, UNLIMITED, fed, thinks=True)
    heading = (
        f"{options.sockets:,} sockets of one symbol each, fed through NATS and the bridge, beside {beside}"
    )
    section = report.section(
        heading,
        taken.ledger,
        taken.cpu,
        taken.memory,
        cores=os.cpu_count() or 1,
        targets=held,
        notes=[delivered],
    )
    return Result(section, held)


SCENARIO = Scenario("sockets", measure)
