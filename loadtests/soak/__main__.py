"""Soak: a moderate load for half an hour, sampled every ten seconds, with a line through each series.

Programs and people call, order explanations and renew keys; sockets come and go beside some that stay. What
surely grows faster than its bound ends the program with an error. `SOAK_S` is how long it lasts. Needs Linux
and an installed Postgres.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass

import msgspec
import uvloop

from benchmarks.side_by_side import command, options
from benchmarks.side_by_side.options import number
from benchmarks.side_by_side.processes import allow_many_files
from benchmarks.sockets.audience import Audience
from loadtests import report, results
from loadtests.measuring import Taken, load, plan_of
from loadtests.options import Options
from loadtests.plan import Plan
from loadtests.population import mix
from loadtests.report import Target
from loadtests.scenario import Result
from loadtests.scenarios.users import UNLIMITED, title, wanted
from loadtests.site import FreshSites, Site, Sites
from loadtests.soak.flatness import Verdict, look
from loadtests.soak.sampling import Samples
from loadtests.soak.telling import tell

MODULE = "loadtests.soak"
# What a process remembers of the flow is full before the first sample. More would wait in the buffers of
# sockets, which get 10 frames a second, each with the updates of one of 100 symbols.
_FILL_PER_S = 900.0
_NATS_GROWS_MB = 2.0


@dataclass(frozen=True, kw_only=True)
class SoakOptions(Options):
    """How much of everything."""

    few_users: int = number(100, "users")
    seconds: float = number(float(os.environ.get("SOAK_S", "1800")), "how long it lasts (SOAK_S)")
    every_s: float = number(10.0, "how often samples are taken")
    fill: int = number(21_000, "updates that come in before the first sample")
    rotators: int = number(5, "of the users, people who renew a key again and again")
    sockets: int = number(500, "sockets that stay")
    churn_rate: float = number(10.0, "sockets a second that come and go")
    churn_stay_s: float = number(5.0, "how long each of them stays")


def main() -> None:
    """The command line."""
    parser = command.make_parser(
        MODULE, __doc__, scenarios=["soak"], database="postgres", results=results.RESULTS
    )
    options.add_to(parser, SoakOptions)
    parsed = parser.parse_args()
    allow_many_files()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sites = FreshSites(parsed.database, parsed.nats_sync)
        result = runner.run(measure(sites, options.read(parsed, SoakOptions)))
    results.tell(parsed.write, MODULE, "soak", result)
    if broken := [target.what for target in result.targets if not target.holds]:
        sys.exit(f"did not hold: {', '.join(broken)}")


async def measure(sites: Sites, chosen: SoakOptions) -> Result:
    """Load, sample, and look."""
    people = wanted(UNLIMITED, chosen)
    async with sites.open(people, workers=chosen.workers, depth=chosen.depth) as site:
        plan = plan_of(site, mix(site.population.keys(), UNLIMITED), chosen)
        plan = msgspec.structs.replace(plan, rotators=chosen.rotators)
        staying, visiting = site.audience(), site.audience()
        await staying.seat(chosen.sockets)
        await staying.receive_all(await site.supply.feeder.feed(_FILL_PER_S, chosen.fill / _FILL_PER_S))
        staying.count_anew()
        samples = Samples(site)
        nats_before = await samples.nats_at_rest()
        taken, let_in, refused = await _load_and_sample(site, plan, chosen, samples, visiting)
        lost = await staying.receive_all(taken.fed)
        staying.vanish()
        visiting.vanish()
        nats_after = await samples.nats_at_rest()
    verdicts = [look(series) for series in samples.series()]
    targets = [Target("updates lost on sockets that stay", lost, 0, "")]
    targets += [Target("sockets not let in", refused, 0, "")]
    targets += [Target("errors", 100 * taken.ledger.error_share, 1, " %")]
    targets += [Target("series that are not flat", sum(not one.is_flat for one in verdicts), 0, "")]
    if nats_before is not None and nats_after is not None:
        growth = nats_after - nats_before
        targets.append(Target("growth of what NATS holds at rest", growth, _NATS_GROWS_MB, " MB"))
    return Result(_section(chosen, taken, let_in, targets, verdicts), targets)


async def _load_and_sample(
    site: Site, plan: Plan, chosen: SoakOptions, samples: Samples, visiting: Audience
) -> tuple[Taken, int, int]:
    """The load, and how many sockets were let in meanwhile, and how many were not."""
    # Users come and warm up before samples are worth anything; the load says when it begins.
    begun = asyncio.Event()
    loading = asyncio.create_task(
        load(site, plan, users=chosen.few_users, updates=chosen.updates, begun=begun)
    )
    waiting = asyncio.create_task(begun.wait())
    await asyncio.wait((loading, waiting), return_when=asyncio.FIRST_COMPLETED)
    if not begun.is_set():
        waiting.cancel()
        await loading
    taken, _, (let_in, refused) = await asyncio.gather(
        loading,
        samples.take_for(chosen.seconds, chosen.every_s),
        visiting.churn(chosen.churn_rate, chosen.seconds, chosen.churn_stay_s),
    )
    return taken, let_in, refused


def _section(
    chosen: SoakOptions, taken: Taken, let_in: int, targets: list[Target], verdicts: list[Verdict]
) -> str:
    head = title(chosen.few_users, UNLIMITED, chosen, thinks=True)
    heading = (
        f"{head} Beside them {chosen.sockets:,} sockets that stay and {chosen.churn_rate:g} a second that "
        f"come, stay {chosen.churn_stay_s:g} s and go ({let_in:,} in all), and {chosen.rotators} people who "
        f"renew keys. Sampled every {chosen.every_s:g} s; least squares without the first fifth, of memory "
        "through its lows."
    )
    told = report.section(
        heading, taken.ledger, taken.cpu, taken.memory, cores=os.cpu_count() or 1, targets=targets
    )
    return f"{told}\n{tell(verdicts)}\n"


if __name__ == "__main__":
    main()
