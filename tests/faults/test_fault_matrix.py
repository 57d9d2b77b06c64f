"""The fault matrix in its short form, the table itself, and whether its alarms can be trusted.

The whole of it, with freezes of half a minute, full disks and clocks that jump, is `make faults`.
"""

from __future__ import annotations

import pytest

from tests import programs
from tests.faults.matrix import alarms, judging, report
from tests.faults.matrix.cases import CASES, FAULTS, ROLES, STORES, VICTIMS, Case
from tests.faults.matrix.ground import standing
from tests.faults.matrix.running import run_at_once
from tests.faults.matrix.work import Account, Answer

PAGE = report.PAGE.read_text()
# What nobody notices but who waits for an answer; kills and freezes stand in other tests of this folder.
SHORT = [case for case in CASES if case.victim in STORES and case.fault == "half_open"]


def test_connections_that_are_dead_cost_nothing_but_time() -> None:
    with standing("postgres", "", workers=1, statement_timeout_ms=1_000) as ground:
        assert run_at_once(SHORT, ground, lasts_s=2.0) == []


def test_every_fault_of_every_victim_is_a_case() -> None:
    assert sorted(case.name for case in CASES) == sorted(f"{v}-{f}" for v in VICTIMS for f in FAULTS)
    assert len(SHORT) == 3


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_says_what_it_expects_or_why_it_makes_no_sense(case: Case) -> None:
    assert bool(case.expects) is not bool(case.not_applicable)
    assert case.alerts <= alarms.severities().keys()
    assert case.unready | case.may_flap <= ROLES
    assert case.refused <= judging.DECLARED.keys()
    row = report.rows_of(PAGE)[case.name]
    assert (case.expects or case.not_applicable) in row, "run: make faults"
    assert case.not_applicable or report.is_green(row), "run: make faults"


def answers(status: int, *, took_s: float = 0.1) -> list[Answer]:
    """One of each kind, in second 11."""
    return [Answer(11.0, 11.0 + took_s, kind, status) for kind in judging.DECLARED]


@pytest.mark.parametrize(
    ("told", "complaints"),
    [
        (answers(200), set()),
        (answers(200) + answers(503), {f"1 x {kind}: 503" for kind in judging.DECLARED.keys() - {"order"}}),
        (
            answers(200, took_s=30.0),
            {f"{k}: was not answered meanwhile" for k in judging.DECLARED if k != "order"},
        ),
    ],
)
def test_only_what_a_case_names_may_be_refused_or_wait_for_its_end(
    told: list[Answer], complaints: set[str]
) -> None:
    case = Case("postgres", "freeze", "", refused=frozenset({"order"}))
    span = judging.Span(began_at=10.0, ended_at=20.0, well_at=21.0)
    assert set(judging._refused(case, Account(told), span)) == complaints


def test_the_page_has_no_case_that_there_is_not() -> None:
    assert report.rows_of(PAGE).keys() == {case.name for case in CASES} | FAULTS.keys()
    for name, what in FAULTS.items():
        assert f"| `{name}` | {what} |" in PAGE


def looks(first_s: float, reads: float, database_up: float) -> list[tuple[float, alarms.Look]]:
    """Scrapes of a gateway that has answered `reads`, and says whether the database is up."""
    place = 'job="gateway-web", instance="gateway-web-1"'
    answered = f'pgw_http_requests_total{{{place}, method="GET", route="prediction", status="200"}}'
    dependency = f'pgw_dependency_up{{dependency="database", {place}}}'
    return [
        (
            first_s + 2 * number,
            {
                "gateway-web": {answered: reads + 20 * number, dependency: database_up},
                "gateway-bridge": {'pgw_bridge_events_total{outcome="stored"}': reads + 20 * number},
                "gateway-worker": {},
            },
        )
        for number in range(4)
    ]


@pytest.mark.parametrize(("database_up", "expected"), [(1.0, set()), (0.0, {"PostgresDown"})])
def test_an_alert_fires_by_what_was_scraped(database_up: float, expected: set[str]) -> None:
    promtool = programs.find("promtool", "prometheus")
    told = looks(0, 100, 1.0) + looks(10, 180, database_up)
    assert alarms.fired(told, 9.0, 20.0, promtool) == (set(), expected)


def test_too_few_scrapes_prove_nothing() -> None:
    with pytest.raises(RuntimeError, match="too few scrapes"):
        alarms.fired(looks(0, 100, 1.0), 9.0, 20.0, "promtool")
