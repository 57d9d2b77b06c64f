"""One load on a site: what the generator counted, and what each role took meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.side_by_side import processes
from benchmarks.side_by_side.feeder import Fed
from benchmarks.side_by_side.processes import Memory, Meter
from loadtests.generator import Generator, generating
from loadtests.ledger import Ledger
from loadtests.options import Options
from loadtests.plan import Plan, Program
from loadtests.site import Site

GENERATOR, FEEDER = "generator", "feeder"
PEOPLE_SHARE = 0.05
# All users have come within so many seconds.
_COME_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Taken:
    """What a load took: `cpu` per cent of a core and `memory` at its end, by role; `fed` came in with it."""

    ledger: Ledger
    fed: Fed
    cpu: dict[str, float]
    memory: dict[str, Memory]


def plan_of(site: Site, programs: list[Program], options: Options) -> Plan:
    """The whole mix: `programs`, with people among them."""
    return Plan(
        ledger=str(site.ground.folder / "ledger.json"),
        symbols=site.symbols,
        programs=programs,
        people=site.population.people,
        people_share=PEOPLE_SHARE,
        think_from_s=options.think_from_s,
        think_to_s=options.think_to_s,
        warm_up_s=options.warm_up_s,
        seconds=options.seconds,
    )


async def load(
    site: Site, plan: Plan, *, users: int, updates: float, begun: asyncio.Event | None = None
) -> Taken:
    """`users` carry out `plan` while `updates` a second come in; `begun` is set when calls count."""
    async with generating(
        plan,
        url=site.url,
        users=users,
        per_s=max(1.0, users / _COME_WITHIN_S),
        classes=plan.classes(),
        folder=site.ground.folder,
    ) as generator:
        await generator.begin()
        if begun is not None:
            begun.set()
        meter = site.meter(generator=generator.pid)
        cpu, fed = await asyncio.gather(
            _ended(generator, meter), site.supply.feeder.feed(updates, plan.seconds)
        )
        pids = {**site.roles, FEEDER: site.supply.feeder.pid, GENERATOR: generator.pid}
        return Taken(await generator.read(), fed, cpu, memory_of(pids))


async def _ended(generator: Generator, meter: Meter) -> dict[str, float]:
    await generator.end()
    return {name.removesuffix("_cpu"): share for name, share in meter.shares().items()}


def memory_of(pids: Mapping[str, int]) -> dict[str, Memory]:
    """Memory by role."""
    return {role: processes.memory_of(pid) for role, pid in pids.items()}
