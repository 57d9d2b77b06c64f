"""Every scenario for a second or two, at the smallest size: that it runs and counts, not how fast."""

from __future__ import annotations

from loadtests.options import Options
from loadtests.scenarios import SCENARIOS
from loadtests.soak.__main__ import SoakOptions
from loadtests.soak.__main__ import measure as soak
from tests.loadtests.conftest import OneSite

TINY = {
    "workers": 1,
    "few_users": 6,
    "many_users": 6,
    "seconds": 1.5,
    "warm_up_s": 0.5,
    "think_from_s": 0.05,
    "think_to_s": 0.15,
    "keys": 4,
    "people": 2,
    "sockets": 20,
    "socket_updates": 40.0,
    "cost_users": 4,
    "cost_seconds": 1.0,
    "cost_steps": 1,
}


def options(**changes: float) -> Options:
    """The smallest size."""
    return Options(**(TINY | changes))  # type: ignore[arg-type] # numbers all


def count_rows(section: str, name: str) -> int:
    """Rows of its tables that begin with `name`."""
    return sum(line.split("|")[1].strip() == name for line in section.splitlines() if line.startswith("|"))


async def test_users_are_served_counted_and_told_by_call_and_role(sites: OneSite) -> None:
    result = await SCENARIOS["users-1000-limits"].measure(sites, options())

    assert {target.what for target in result.targets} == {"p95", "p95, aimed at", "errors"}
    assert next(target for target in result.targets if target.what == "errors").value == 0, result.section
    for row in ("read", "batch", "web workers", "bridge", "generator (Locust)"):
        assert count_rows(result.section, row) == 1, result.section


async def test_no_update_is_lost_beside_users(sites: OneSite) -> None:
    result = await SCENARIOS["sockets"].measure(sites, options())

    held = {target.what: target for target in result.targets}
    assert held["updates lost on sockets"].value == 0
    assert held["errors"].value == 0, result.section
    # 40 a second for 1.5 s over 4 symbols, to 20 sockets of one symbol each.
    assert "300 updates were delivered" in result.section


async def test_what_more_data_costs_is_told_by_size(sites: OneSite) -> None:
    result = await SCENARIOS["cost"].measure(sites, options())

    assert count_rows(result.section, "50 symbols, 100 keys, 10,000 predictions") == 1
    errors, _ = result.targets
    assert not errors.holds, "this site has other symbols than the users ask for"


async def test_the_generator_is_measured_against_a_constant_answer(sites: OneSite) -> None:
    result = await SCENARIOS["generator"].measure(sites, options(seconds=0.3, warm_up_s=0.2))

    assert " 0 errors; the generator took" in result.section


async def test_a_soak_looks_at_every_role_store_and_table(sites: OneSite) -> None:
    size = SoakOptions(**(TINY | {"every_s": 0.2, "fill": 20, "churn_stay_s": 0.2, "rotators": 1}))  # type: ignore[arg-type]
    result = await soak(sites, size)

    held = {target.what: target for target in result.targets}
    assert held["updates lost on sockets that stay"].value == 0
    assert held["sockets not let in"].value == 0
    assert held["errors"].value == 0, result.section
    for row in ("web: own memory, MB", "worker: threads", "Valkey: keys", "outbox: rows"):
        assert count_rows(result.section, row) == 1, result.section
