"""The track record read from the database: which days, which models, what counts as passed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from predictions import record, track_record
from predictions.accuracy import Sums
from predictions.answers import OutcomeAnswer
from predictions.documents import PredictionDocument
from predictions.track_record import Track
from tests.predictions.settled import append, predicted, settle_all

pytestmark = pytest.mark.django_db

MARKET = datetime(2013, 1, 1, tzinfo=UTC)
MADE = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def bar(n: int, price: float, **changes: Any) -> PredictionDocument:
    """The prediction of market day `n`, which expects a rise by 1."""
    made, market = MADE + timedelta(seconds=n), MARKET + n * DAY
    return predicted(changes.pop("seq", n + 1), made=made, market=market, price=price, **changes)


def settled(*bars: PredictionDocument) -> None:
    append(bars)
    settle_all(now=NOW, most=7)


def track(window: timedelta | None, *, now: datetime = NOW) -> Track:
    found = track_record.read_track("AAPL", window=window, now=now)
    assert found is not None
    return found


def only(window: timedelta | None, *, now: datetime = NOW) -> Sums:
    (sums,) = track(window, now=now).sums
    return sums


def test_an_unknown_symbol_has_no_track() -> None:
    settled(bar(0, 100, symbol="MSFT"))
    assert track_record.read_track("AAPL", window=None, now=NOW) is None


def test_a_symbol_whose_predictions_nobody_has_looked_at_yet_has_an_empty_one() -> None:
    record.append([bar(0, 100)])
    assert track(DAY) == Track(MARKET, [])


@pytest.mark.parametrize(("days", "settled_count"), [(1, 1), (2, 2), (5, 5), (9, 9), (10, 9), (3660, 9)])
def test_a_window_reaches_back_from_the_newest_market_time(days: int, settled_count: int) -> None:
    settled(*(bar(n, 100 + n) for n in range(10)))
    sums = only(timedelta(days=days))
    assert sums.settled == settled_count
    assert sums.first == MARKET + (9 - settled_count) * DAY
    assert sums.last == MARKET + 8 * DAY
    assert track(timedelta(days=days)).newest_as_of == MARKET + 9 * DAY


def test_without_a_window_everything_counts_also_what_lies_ahead_of_the_newest() -> None:
    """A replay that has begun again stands before market times that it has seen."""
    settled(*(bar(n, 100) for n in range(5)), bar(20, 100, as_of=MARKET), bar(21, 100, as_of=MARKET + DAY))
    assert only(None).settled == 5
    assert only(3660 * DAY).settled == 3


def test_models_are_told_apart_and_symbols_do_not_mix() -> None:
    settled(
        *(bar(n, 100, model_version="a") for n in range(3)),
        *(bar(10 + n, 100, model_version="b") for n in range(5)),
        *(bar(20 + n, 100, symbol="MSFT") for n in range(2)),
    )
    assert [(sums.model_version, sums.settled) for sums in track(None).sums] == [("a", 3), ("b", 4)]


def test_the_day_counts_as_passed_when_the_horizon_of_its_last_moment_has() -> None:
    settled(bar(0, 100, horizon="2d"), bar(0, 100, symbol="X"), bar(9, 100, as_of=MARKET, horizon="later"))
    end = MARKET + 3 * DAY
    assert only(None, now=end - timedelta(microseconds=1)).passed == 0
    assert only(None, now=end).passed == 1
    assert only(None, now=end).unreadable == 1


def test_what_is_settled_has_passed_whatever_the_time() -> None:
    settled(bar(0, 100), bar(1, 100))
    assert only(None, now=MARKET).passed == 1


def test_a_window_may_reach_back_behind_the_beginning_of_the_calendar() -> None:
    settled(
        bar(0, 100, as_of=datetime(1, 1, 2, tzinfo=UTC)), bar(1, 100, as_of=datetime(1, 1, 4, tzinfo=UTC))
    )
    assert only(3660 * DAY).settled == 1


def test_reading_costs_one_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    settled(*(bar(n, 100) for n in range(10)))
    with django_assert_num_queries(1):
        track(5 * DAY)
    with django_assert_num_queries(1):
        track(None)


def test_outcomes_are_found_by_moment_and_model() -> None:
    rival = bar(1, 103, model_version="other", seq=50, predicted_price=90.0)
    settled(bar(0, 100), bar(1, 103), rival, bar(2, 104))
    found = track_record.read_outcomes("AAPL", oldest=MADE + timedelta(seconds=1), newest=NOW)
    moment = MADE + timedelta(seconds=1)
    assert found == {
        (moment, "m"): OutcomeAnswer(104, MARKET + 2 * DAY, 0.0),
        (moment, "other"): OutcomeAnswer(104, MARKET + 2 * DAY, -14.0),
    }
