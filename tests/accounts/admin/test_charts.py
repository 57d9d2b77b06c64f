"""Charts drawn on the server: within their frame, and told in words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from accounts.admin.charts import HOURS, Hour, hourly_chart, hours_until, sparkline, tell

NOW = datetime(2026, 11, 24, 14, 51, 3, tzinfo=UTC)


def test_the_hours_end_with_the_one_that_runs() -> None:
    hours = hours_until(NOW)
    assert len(hours) == HOURS
    assert hours[-1] == datetime(2026, 11, 24, 14, tzinfo=UTC)
    assert hours[0] == datetime(2026, 11, 23, 15, tzinfo=UTC)


@pytest.mark.parametrize("calls", [[], [0] * 24, list(range(24)), [10**9] + [1] * 23])
def test_a_sparkline_stays_in_its_frame(calls: list[int]) -> None:
    drawn = sparkline(calls)
    assert f'aria-label="{sum(calls):,} calls in 24 hours"' in drawn
    for x, y, width, height in re.findall(r'<rect x="(.+?)" y="(.+?)" width="(.+?)" height="(.+?)"', drawn):
        assert 0 <= float(x) <= float(x) + float(width) <= 96
        assert 0 <= float(y) <= float(y) + float(height) <= 24.05


def test_the_chart_marks_what_was_throttled_and_what_failed() -> None:
    drawn = hourly_chart([Hour(NOW, calls=100, throttled=30, errors=1), Hour(NOW + timedelta(hours=1))])
    assert re.findall(r'class="pgw-(calls|throttled|errors)"', drawn) == ["calls", "throttled", "errors"]
    assert all(float(y) >= 0 for y in re.findall(r' y="(.+?)"', drawn))
    assert "14:51 UTC: 100 calls, 30 throttled, 1 failed" in drawn


def test_a_chart_of_nothing_says_so() -> None:
    assert tell([]) == "No calls in the last 24 hours."
    assert "No calls" in hourly_chart([])


def test_the_chart_is_told_in_a_sentence() -> None:
    told = tell([Hour(NOW, calls=1000, throttled=2, errors=3), Hour(NOW + timedelta(hours=1), calls=1)])
    assert told == (
        "1,001 calls in the last 24 hours, 2 of them throttled and 3 failed; "
        "the busiest hour began at 14:51 UTC with 1,000."
    )
