"""What the generator counts: outcomes told apart, percentiles of what was answered."""

from __future__ import annotations

import math

import msgspec
import pytest

from loadtests.ledger import Ledger, judge


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "served"),
        (202, "served"),
        (304, "not modified"),
        (429, "limited"),
        (0, "error"),
        (404, "error"),
        (500, "error"),
        (503, "error"),
    ],
)
def test_a_status_is_judged_by_what_was_expected(status: int, outcome: str) -> None:
    assert judge(status, (200, 202)) == outcome


def test_what_limits_refuse_and_what_fails_is_in_no_percentile() -> None:
    ledger = Ledger(seconds=10.0)
    for number in range(1, 101):
        ledger.note("read", "served" if number % 2 else "not modified", number / 1000)
    ledger.note("read", "limited", 5.0)
    ledger.note("order", "error", 30.0)

    assert ledger.share_ms(0.5) == pytest.approx(51.0)
    assert ledger.share_ms(0.99, call="read") == pytest.approx(100.0)
    assert math.isnan(ledger.share_ms(0.5, call="order"))
    assert ledger.count() == 102
    assert ledger.count("limited", call="read") == 1
    assert ledger.error_share == pytest.approx(1 / 102)
    assert ledger.per_s == pytest.approx(10.2)


def test_a_load_in_which_nothing_was_called_has_not_held() -> None:
    assert Ledger(seconds=10.0).error_share == 1.0


def test_it_is_read_as_it_was_written() -> None:
    ledger = Ledger(seconds=1.5)
    ledger.note("read", "served", 0.001)
    ledger.notice("x" * 1000)

    read = msgspec.json.decode(msgspec.json.encode(ledger), type=Ledger)

    assert read == ledger
    assert len(read.notices[0]) == 300
