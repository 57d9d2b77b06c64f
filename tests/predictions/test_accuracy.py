"""The measures of a track record: means of sums, and an honest null where there is nothing to divide by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from predictions.accuracy import Sums, first_moment, measure, measure_model

MOMENT = datetime(2013, 3, 1, 14, 30, tzinfo=UTC)


def sums(**changes: Any) -> Sums:
    """Four outcomes of five predictions whose horizon has passed, three of them with an interval."""
    made = Sums(
        model_version="m",
        unreadable=2,
        passed=5,
        settled=4,
        first=MOMENT,
        last=MOMENT + timedelta(days=3),
        error=8.0,
        relative_error=0.04,
        naive_error=10.0,
        naive_relative_error=0.08,
        hits=3,
        with_interval=3,
        within_interval=2,
        interval_levels=2.4,
    )
    return msgspec.structs.replace(made, **changes)


def test_the_measures_are_means_and_ratios_of_the_sums() -> None:
    assert msgspec.structs.asdict(measure_model(sums())) == {
        "model_version": "m",
        "count": 4,
        "first": MOMENT,
        "last": MOMENT + timedelta(days=3),
        "mae": 2.0,
        "naive_mae": 2.5,
        "mae_vs_naive": 0.8,
        "mape": 0.01,
        "naive_mape": 0.02,
        "mape_vs_naive": 0.5,
        "hit_rate": 0.75,
        "coverage": 0.8,
        "unreadable": 2,
        "interval_count": 3,
        "interval_coverage": 2 / 3,
        "interval_level": 0.8,
    }


def test_together_every_prediction_weighs_the_same() -> None:
    early = MOMENT - timedelta(days=9)
    other = sums(model_version="n", settled=1, passed=1, error=7.0, first=early, last=early, unreadable=0)
    together = measure([sums(), other])
    assert (together.count, together.mae, together.coverage) == (5, 3.0, 5 / 6)
    assert (together.first, together.last) == (early, MOMENT + timedelta(days=3))
    assert together.unreadable == 2


def test_nothing_is_said_of_nothing() -> None:
    nothing = msgspec.structs.asdict(measure([]))
    counts = {"count": 0, "unreadable": 0, "interval_count": 0}
    assert nothing == dict.fromkeys(nothing) | counts


def test_what_has_passed_without_an_outcome_is_not_covered() -> None:
    waiting = measure([sums(settled=0, passed=3, first=None, last=None, with_interval=0)])
    assert (waiting.coverage, waiting.mae, waiting.hit_rate, waiting.first) == (0.0, None, None, None)


def test_against_a_naive_forecast_that_was_never_wrong_there_is_no_ratio() -> None:
    still = measure([sums(naive_error=0.0, naive_relative_error=0.0)])
    assert (still.naive_mae, still.mae_vs_naive, still.mape_vs_naive) == (0.0, None, None)


def test_a_window_begins_at_the_midnight_before() -> None:
    assert first_moment(MOMENT, timedelta(days=1)) == datetime(2013, 2, 28, tzinfo=UTC)
    assert first_moment(MOMENT, timedelta(hours=40)) == datetime(2013, 2, 27, tzinfo=UTC)
    assert first_moment(MOMENT, None) is None
    assert first_moment(datetime(1, 1, 2, tzinfo=UTC), timedelta(days=30)) is None
