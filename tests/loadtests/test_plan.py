"""Who plays in a load, from which address, with whose key."""

from __future__ import annotations

from collections import Counter

import pytest

from loadtests.plan import PERSON, PROGRAM, ROTATOR, Login, Plan, Program, address_of
from loadtests.population import ANONYMOUS, mix


def test_users_have_addresses_of_their_own() -> None:
    addresses = {address_of(number) for number in range(70_000)}

    assert len(addresses) == 70_000
    assert address_of(65_536) == "10.1.0.0"


@pytest.mark.parametrize(
    ("changes", "classes"),
    [
        ({}, [PROGRAM]),
        ({"people": [Login("ann", "secret")]}, [PROGRAM]),
        ({"people": [Login("ann", "secret")], "people_share": 0.05}, [PROGRAM, PERSON]),
        ({"rotators": 2}, [PROGRAM, ROTATOR]),
    ],
)
def test_a_plan_names_the_classes_that_take_part(changes: dict[str, object], classes: list[str]) -> None:
    plan = Plan(ledger="l", symbols=["A"], programs=[Program("free", "k")], **changes)  # type: ignore[arg-type]

    assert plan.classes() == classes


def test_programs_take_turns_by_the_share_of_their_tier() -> None:
    keys = {"enterprise": ["e1", "e2"], "pro": ["p1"]}
    programs = mix(keys, {"enterprise": 50, "pro": 25, ANONYMOUS: 25})

    assert Counter(program.tier for program in programs) == {"enterprise": 50, "pro": 25, ANONYMOUS: 25}
    assert Counter(program.tier for program in programs[:8]) == {"enterprise": 4, "pro": 2, ANONYMOUS: 2}
    assert Counter(program.key for program in programs) == {"e1": 25, "e2": 25, "p1": 25, "": 25}
