"""Users over REST: a hundred and a thousand, without limits and with those of the tiers; all at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from benchmarks.side_by_side.feeding import make_symbols
from loadtests import report
from loadtests.measuring import PEOPLE_SHARE, Taken, load, plan_of
from loadtests.options import Options
from loadtests.population import ANONYMOUS, Wanted, mix
from loadtests.report import Target
from loadtests.scenario import Result, Scenario
from loadtests.site import Sites

UNLIMITED = {"enterprise": 100}
TIERS = {"enterprise": 40, "pro": 35, "free": 10, ANONYMOUS: 15}
_FEW_BOUND_MS, _MANY_BOUND_MS, _MANY_AIM_MS = 100.0, 250.0, 100.0


def wanted(shares: dict[str, int], options: Options) -> Wanted:
    """Keys in the proportion of the tiers; the anonymous need none."""
    keys = {tier: max(1, options.keys * share // 100) for tier, share in shares.items() if tier != ANONYMOUS}
    return Wanted(keys=keys, people=options.people, symbols=make_symbols(options.symbols))


def title(users: int, shares: dict[str, int], options: Options, *, thinks: bool) -> str:
    """What is measured, at which size."""
    who = ", ".join(f"{share} % {tier}" for tier, share in shares.items())
    mean = (options.think_from_s + options.think_to_s) / 2
    pace = (
        f"each thinks {options.think_from_s:g} to {options.think_to_s:g} s between two calls (about "
        f"{users / mean:,.0f} calls/s)"
        if thinks
        else "none thinks: each calls again when it has its answer"
    )
    return (
        f"{users:,} users, {100 * PEOPLE_SHARE:g} % of them people who log in; programs: {who}; {pace}; "
        f"{options.keys} keys, {options.symbols} symbols, {options.updates:g} updates/s; "
        f"{options.workers} web workers; {options.seconds:g} s."
    )


def few_targets(taken: Taken) -> list[Target]:
    """Of a hundred users."""
    return [p95(taken, _FEW_BOUND_MS), Target("errors", taken.ledger.count("error"), 0, "")]


def many_targets(taken: Taken) -> list[Target]:
    """Of a thousand."""
    return [p95(taken, _MANY_BOUND_MS), p95(taken, _MANY_AIM_MS, "p95, aimed at"), errors(taken)]


def at_once_targets(taken: Taken) -> list[Target]:
    """Of a thousand requests at once: their time is how many there are by how many are answered a second."""
    return [errors(taken)]


def p95(taken: Taken, bound_ms: float, what: str = "p95") -> Target:
    """Of all answers."""
    return Target(what, taken.ledger.share_ms(0.95), bound_ms, " ms")


def errors(taken: Taken) -> Target:
    """As a share."""
    return Target("errors", 100 * taken.ledger.error_share, 1, " %")


def _measure(
    users: Callable[[Options], int],
    shares: dict[str, int],
    targets: Callable[[Taken], list[Target]],
    *,
    thinks: bool = True,
) -> Callable[[Sites, Options], Coroutine[Any, Any, Result]]:
    async def measure(sites: Sites, options: Options) -> Result:
        async with sites.open(wanted(shares, options), workers=options.workers, depth=options.depth) as site:
            plan = plan_of(site, mix(site.population.keys(), shares), options)
            if not thinks:
                plan = msgspec.structs.replace(plan, think_from_s=0.0, think_to_s=0.0)
            taken = await load(site, plan, users=users(options), updates=options.updates)
        held = targets(taken)
        section = report.section(
            title(users(options), shares, options, thinks=thinks),
            taken.ledger,
            taken.cpu,
            taken.memory,
            cores=os.cpu_count() or 1,
            targets=held,
            notes=[report.limited(taken.ledger)],
        )
        return Result(section, held)

    return measure


def _few(options: Options) -> int:
    return options.few_users


def _many(options: Options) -> int:
    return options.many_users


SCENARIOS = (
    Scenario("users-100", _measure(_few, UNLIMITED, few_targets)),
    Scenario("users-100-limits", _measure(_few, TIERS, few_targets)),
    Scenario("users-1000", _measure(_many, UNLIMITED, many_targets)),
    Scenario("users-1000-limits", _measure(_many, TIERS, many_targets)),
    Scenario("at-once", _measure(_many, UNLIMITED, at_once_targets, thinks=False)),
)
