"""What came of a prediction: the rule, on a real database, and that nothing repeated or late changes it."""

from __future__ import annotations

import functools
import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from predictions import settling
from predictions.documents import PredictionDocument
from predictions.models import AccuracyDay, Outcome, SettledPlace
from predictions.settling import Place, Slice
from tests.predictions.settled import append, predicted, settle_all

pytestmark = pytest.mark.django_db

START = datetime(2013, 2, 25, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def document(seq: int, price: float = 100.0, **changes: Any) -> PredictionDocument:
    """Message `seq`: made `seq` seconds after the start, of the market day `seq`."""
    made, market = NOW + timedelta(seconds=seq), START + seq * DAY
    return predicted(seq, made=made, market=market, price=price, **changes)


settle = functools.partial(settle_all, now=NOW)


def actual(symbol: str = "AAPL") -> dict[int, float | None]:
    """The actual price of each prediction of `symbol`, by the seconds after the start."""
    rows = Outcome.objects.filter(symbol=symbol).order_by("timestamp")
    return {int((row.timestamp - NOW).total_seconds()): row.actual_price for row in rows}


def sums() -> list[dict[str, Any]]:
    """All daily sums, but for what floats leave open."""
    rows = AccuracyDay.objects.order_by("symbol", "day", "model_version", "horizon").values()
    return [
        {name: round(value, 9) if isinstance(value, float) else value for name, value in row.items()}
        for row in rows
    ]


def test_the_outcome_is_the_price_of_the_first_prediction_whose_market_time_has_come() -> None:
    append([document(0, 100), document(1, 103), document(2, 99)])
    settle()
    assert actual() == {0: 103, 1: 99, 2: None}
    first = Outcome.objects.get(timestamp=NOW)
    assert (first.due_at, first.actual_as_of, first.settled_at) == (START + DAY, START + DAY, NOW)
    assert (first.price, first.predicted_price, first.horizon, first.as_of) == (100, 101, "1d", START)


def test_over_a_weekend_the_next_bar_is_the_one_of_monday() -> None:
    friday, monday = document(4, 100), document(7, 104)
    append([friday, monday])
    settle()
    assert actual() == {4: 104, 7: None}
    assert Outcome.objects.get(timestamp=friday.timestamp).actual_as_of == START + 7 * DAY


def test_a_market_time_before_the_end_of_the_horizon_settles_nothing_and_exactly_at_it_does() -> None:
    append([document(0), document(1, 90, as_of=START + DAY - timedelta(microseconds=1))])
    settle()
    assert actual() == {0: None, 1: None}
    append([document(2, 91, as_of=START + DAY)])
    settle()
    assert actual()[0] == 91


def test_each_horizon_ends_in_its_own_time() -> None:
    labels = ["4h", "PT30M", "2d", "1w"]
    append([document(n, horizon=label, as_of=START) for n, label in enumerate(labels)])
    append([document(10 + n, 110 + n, as_of=START + timedelta(hours=h)) for n, h in enumerate([1, 5, 49])])
    settle()
    assert [actual()[n] for n in range(4)] == [111, 110, 112, None]


def test_a_horizon_that_is_no_length_has_no_outcome_and_is_counted_as_such() -> None:
    append([document(0, horizon='next "close"\'s end'), document(1, horizon="1M"), document(5, 104)])
    settle()
    assert actual() == {0: None, 1: None, 5: None}
    assert Outcome.objects.filter(due_at=None).count() == 2
    assert [(row["made"], row["unreadable"], row["passed_at"]) for row in sums()][:2] == [(0, 1, None)] * 2


def test_only_what_was_predicted_later_tells_what_happened() -> None:
    """A replay that begins again: market times that lie ahead were seen before, and are no outcome."""
    append(document(n, 100 + n) for n in range(4))
    append([document(10, 200, as_of=START), document(11, 201, as_of=START + DAY)])
    settle()
    assert actual() == {0: 101, 1: 102, 2: 103, 3: None, 10: 201, 11: None}


def test_two_models_at_one_moment_are_settled_by_what_comes_after_both() -> None:
    moment = document(0)
    rival = msgspec.structs.replace(moment, seq=1, model_version="other", predicted_price=50.0)
    append([moment, rival, document(2, 105)])
    settle()
    assert set(Outcome.objects.filter(timestamp=NOW).values_list("model_version", "actual_price")) == {
        ("m", 105),
        ("other", 105),
    }


def test_symbols_do_not_settle_each_other() -> None:
    append([document(0), document(1, symbol="MSFT"), document(2, symbol="MSFT")])
    settle()
    assert actual() == {0: None}
    assert actual("MSFT") == {1: 100, 2: None}


def test_what_comes_late_is_settled_by_what_was_there_before() -> None:
    append([document(0), document(4, 104), document(6, 106)])
    settle()
    late = msgspec.structs.replace(document(2, 102), seq=9)
    append([late])
    settle()
    assert actual()[2] == 104
    assert actual()[0] == 104, "what is settled stays"


@pytest.mark.parametrize("most", [1, 2, 3, 100])
@pytest.mark.parametrize("most_settled", [1, 100])
def test_slices_of_every_size_come_to_the_same(most: int, most_settled: int) -> None:
    append(document(n, 100 + n % 7) for n in range(20))
    append(document(100 + n, 50, symbol="MSFT", horizon="3d") for n in range(10))
    append([document(200, 70, as_of=START), document(201, 71, epoch="f", as_of=START + DAY)])
    settle(most=most, most_settled=most_settled)
    assert len([price for price in actual().values() if price is not None]) == 20
    assert sum(row["settled"] for row in sums()) == 20 + 7
    assert sum(row["made"] for row in sums()) == 32


def test_more_outcomes_than_a_transaction_may_bring_are_brought_by_several() -> None:
    append(document(n, as_of=START + timedelta(seconds=n)) for n in range(25))
    settle()
    append([document(100, 120)])
    slices: list[Slice] = []
    while not (slices and slices[-1].is_last):
        done = settling.settle_slice(upto=None, now=NOW, most=10, most_settled=10)
        assert done is not None
        slices.append(done)
    assert [one.settled for one in slices] == [10, 10, 5]
    assert set(list(actual().values())[:25]) == {120}


def test_repeating_changes_nothing() -> None:
    append(document(n, 100 + n % 3) for n in range(9))
    settle()
    before, rows = sums(), list(Outcome.objects.order_by("timestamp").values())
    settle()
    settling.start_over()
    settle()
    assert sums() == before
    assert list(Outcome.objects.order_by("timestamp").values()) == rows


def test_nothing_beyond_the_given_place_is_touched_and_the_place_is_remembered() -> None:
    append(document(n) for n in range(6))
    assert settle(upto=Place("e", 3)).place == Place("e", 3)
    assert set(actual()) == {0, 1, 2, 3}
    assert SettledPlace.objects.values_list("epoch", "seq").get() == ("e", 3)
    # Messages that could not be recorded have places too.
    assert settle(upto=Place("e", 90)).place == Place("e", 90)
    assert settle(upto=Place("e", 40)) == Slice(Place("e", 90), 0, 0, is_last=True)


def test_an_empty_record_is_settled_at_once() -> None:
    assert settle() == Slice(Place("", 0), 0, 0, is_last=True)


def test_what_was_passed_over_gets_its_outcome_after_a_new_start() -> None:
    append([document(0), document(3)])
    settle()
    append([document(1, 101)])  # committed after the place went by
    settle()
    assert 1 not in actual()
    settling.start_over()
    settle()
    assert actual() == {0: 100, 1: 100, 3: None}


def test_the_sums_of_a_day_are_those_of_its_outcomes() -> None:
    moments = [timedelta(hours=h) for h in (0, 6, 12)]
    prices = [100.0, 110.0, 99.0]
    append(
        document(n, price, predicted_price=104.0, horizon="6h", as_of=START + moment)
        for n, (moment, price) in enumerate(zip(moments, prices, strict=True))
    )
    settle()
    (day,) = AccuracyDay.objects.all()
    assert (day.day, day.made, day.settled, day.unreadable) == (date(2013, 2, 25), 3, 2, 0)
    assert day.passed_at == START + DAY + timedelta(hours=6)
    assert (day.first_as_of, day.last_as_of) == (START, START + timedelta(hours=6))
    assert day.error == pytest.approx(6 + 5)
    assert day.relative_error == pytest.approx(6 / 110 + 5 / 99)
    assert day.naive_error == pytest.approx(10 + 11)
    assert day.naive_relative_error == pytest.approx(10 / 110 + 11 / 99)
    assert day.hits == 2


@pytest.mark.parametrize(
    ("predicted", "came", "hits"),
    [(101, 102, 1), (99, 98, 1), (101, 99, 0), (101, 100, 0), (100, 101, 0), (100, 100, 0)],
)
def test_a_hit_is_the_right_direction_and_no_move_is_none(predicted: float, came: float, hits: int) -> None:
    append([document(0, 100, predicted_price=predicted), document(1, came)])
    settle()
    assert AccuracyDay.objects.get(settled=1).hits == hits


@pytest.mark.parametrize(
    ("features", "counted", "within"),
    [
        ({"interval_low": 90.0, "interval_high": 110.0, "interval_level": 0.8}, 1, 1),
        ({"interval_low": 103, "interval_high": 110, "interval_level": 0.8}, 1, 1),
        ({"interval_low": 90.0, "interval_high": 102.9, "interval_level": 0.8}, 1, 0),
        ({"interval_low": 110.0, "interval_high": 90.0, "interval_level": 0.8}, 0, 0),
        ({"interval_low": 90.0, "interval_high": 110.0, "interval_level": 80}, 0, 0),
        ({"interval_low": 90.0, "interval_high": 110.0}, 0, 0),
        ({"interval_low": "90", "interval_high": 110.0, "interval_level": 0.8}, 0, 0),
        ({"interval_low": True, "interval_high": 110.0, "interval_level": 0.8}, 0, 0),
        ({"interval_low": None, "interval_high": 110.0, "interval_level": 0.8}, 0, 0),
        ({}, 0, 0),
        (None, 0, 0),
    ],
)
def test_an_interval_counts_if_it_is_one(features: Any, counted: int, within: int) -> None:
    append([document(0, features=features), document(1, 103)])
    settle()
    day = AccuracyDay.objects.get(settled=1)
    assert (day.with_interval, day.within_interval) == (counted, within)
    assert day.interval_levels == pytest.approx(0.8 * counted)


def test_prices_at_the_ends_of_what_numbers_hold_stop_nothing() -> None:
    prices = [5e-324, 1e-300, 1e300, 1.7e308]
    append(document(n, price, predicted_price=prices[-1 - n]) for n, price in enumerate(prices))
    append([document(9, 1e30, predicted_price=1e-30), document(10, 1e-30), document(11, 100.0)])
    settle()
    assert [actual()[n] for n in (0, 1, 2, 3)] == [None] * 4
    assert actual()[9] == 1e-30
    assert all(math.isfinite(row["relative_error"]) for row in sums())


def test_market_times_at_the_ends_of_the_calendar_stop_nothing() -> None:
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC)
    append([document(0, as_of=first), document(1, 101, as_of=last), document(2, as_of=last)])
    settle()
    assert actual() == {0: 101, 1: None, 2: None}
