"""What is said of a load: what held, who took the cores."""

from __future__ import annotations

import math

import pytest

from benchmarks.side_by_side.processes import Memory
from loadtests import report
from loadtests.ledger import Ledger
from loadtests.report import Target


@pytest.mark.parametrize(
    ("value", "bound", "holds"),
    [(99.9, 100, True), (100.0, 100, False), (math.nan, 100, False), (0, 0, True), (1, 0, False)],
)
def test_a_target_holds_below_its_bound_and_none_means_none(value: float, bound: float, holds: bool) -> None:
    target = Target("p95", value, bound, " ms")

    assert target.holds is holds
    assert ("**held**" in str(target)) is holds
    assert ("**NOT HELD**" in str(target)) is not holds


@pytest.mark.parametrize(
    ("cpu", "said"),
    [
        ({"web": 60.0, "generator": 30.0, "others": 0.0}, "Nothing was at its limit."),
        ({"web": 120.0, "generator": 70.0, "others": 5.0}, "The cores are the limit."),
        ({"web": 60.0, "generator": 85.0, "others": 0.0}, "The generator had no core to spare"),
        ({"web": 20.0, "generator": 10.0, "others": 90.0}, "Others disturbed it"),
    ],
)
def test_the_bottleneck_is_told_by_who_took_the_cores(cpu: dict[str, float], said: str) -> None:
    told = report.bottleneck(cpu, 2)

    assert said in told
    assert "for the web workers" in told


def test_a_section_tells_each_call_each_role_and_each_error() -> None:
    ledger = Ledger(seconds=2.0)
    for _ in range(9):
        ledger.note("read", "served", 0.010)
    ledger.note("read", "limited", 0.001)
    ledger.note("order", "error", 0.5)
    ledger.notice("order: 500")

    told = report.section(
        "Eleven calls.",
        ledger,
        {"web": 50.0, "generator": 10.0, "others": 0.0},
        {"web": Memory(2048, 1024, 512)},
        cores=2,
        targets=[Target("errors", 1, 0, "")],
        notes=[report.limited(ledger)],
    )
    rows = {line.split("|")[1].strip(): line for line in told.splitlines() if line.startswith("| ")}

    assert [cell.strip() for cell in rows["read"].split("|")[2:-1]] == [
        *("5.0", "10.0", "10.0", "10.0", "0", "10", "0"),
    ]
    assert rows["order"].split("|")[-2].strip() == "1"
    assert [cell.strip() for cell in rows["web workers"].split("|")[2:-1]] == ["50", "90,909", "1", "2"]
    assert "- order: 500" in told
    assert "1 calls (9 %) were refused by a limit" in told
    assert "**NOT HELD**" in told
