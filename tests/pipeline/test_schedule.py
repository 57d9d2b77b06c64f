"""Days come in order and on time, stamps increase, and an event carries what the model knew."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from itertools import islice

import pytest

from events.prediction_updated import decode, encode
from pipeline import schedule
from pipeline.model import MODEL_VERSION, WalkForward
from pipeline.schedule import Day, Pacer

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture(scope="module")
def days(walks: dict[str, WalkForward]) -> list[Day]:
    return schedule.order_days(reversed(list(walks.values())))


def test_days_increase_and_symbols_are_alphabetical_within_a_day(days: list[Day]) -> None:
    dates = [day.date for day in days]
    assert dates == sorted(set(dates))
    assert (dates[0], dates[-1]) == (date(2000, 9, 22), date(2013, 3, 1))
    for day in days:
        symbols = [walk.series.symbol for walk, _ in day.places]
        assert symbols == sorted(set(symbols))


def test_every_prediction_is_replayed_once_on_its_own_day(
    days: list[Day], walks: dict[str, WalkForward]
) -> None:
    assert sum(len(day.places) for day in days) == sum(len(walk) for walk in walks.values())
    for day in days[::100]:
        assert {prediction.as_of for prediction in day.predictions()} == {day.date}
    assert [p.symbol for p in days[-1].predictions()] == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]


def test_the_flow_starts_on_the_first_trading_day_from_start_on(days: list[Day]) -> None:
    sunday = date(2012, 12, 30)
    assert next(schedule.flow(days, start=sunday)).date == date(2012, 12, 31)
    assert next(schedule.flow(days)).date == days[0].date


def test_the_flow_ends_after_the_last_day_unless_it_loops(days: list[Day]) -> None:
    start = days[-2].date
    once = [day.date for day in schedule.flow(days, start=start)]
    assert once == [days[-2].date, days[-1].date]
    looped = list(islice(schedule.flow(days, start=start, loop=True), 2 * len(once) + 1))
    assert [day.date for day in looped] == [*once, *once, once[0]]


def test_a_loop_over_no_days_ends() -> None:
    assert list(schedule.flow([], loop=True)) == []


def test_the_event_fits_the_contract_and_carries_the_inputs(days: list[Day]) -> None:
    prediction = days[-1].predictions()[0]
    sent = schedule.event_of(prediction, NOW)
    received = decode(encode(sent), symbol_pattern=re.compile("[A-Z]{1,5}"))
    assert (received.symbol, received.horizon, received.model_version) == (
        "AAPL",
        "1d",
        MODEL_VERSION,
    )
    assert "replay" in received.model_version
    assert received.timestamp == NOW
    assert received.market_time == datetime(2013, 3, 1, tzinfo=UTC)
    assert sent.as_of == "2013-03-01"
    assert received.current_price == 430.47
    assert received.features is not None
    assert received.features.items() >= prediction.inputs.items()


def test_the_interval_in_the_event_lies_around_the_prediction_by_its_deviation(days: list[Day]) -> None:
    for prediction in days[1234].predictions():
        features = schedule.event_of(prediction, NOW).features
        assert features is not None
        below = math.log(prediction.predicted_price / float(features["interval_low"] or 0))
        above = math.log(float(features["interval_high"] or 0) / prediction.predicted_price)
        # A normal law has 80 % within 1.2816 standard deviations.
        assert below == pytest.approx(above)
        assert above == pytest.approx(1.2815515655 * prediction.residual_sd)
        assert features["interval_level"] == 0.8


def test_the_contributions_in_the_event_sum_to_its_predicted_move(days: list[Day]) -> None:
    for prediction in days[1234].predictions():
        event = schedule.event_of(prediction, NOW)
        assert event.features is not None
        parts = [
            float(value or 0)
            for name, value in event.features.items()
            if name.startswith(schedule.CONTRIBUTION_PREFIX)
        ]
        move = math.log(event.predicted_price / event.current_price)
        assert len(parts) == 7
        assert math.fsum(parts) == pytest.approx(move, abs=1e-12)


def test_stamps_increase_even_when_the_wall_clock_does_not() -> None:
    assert schedule.stamp_after(None, NOW) == NOW
    assert schedule.stamp_after(NOW - timedelta(hours=1), NOW) == NOW
    tick = timedelta(microseconds=1)
    assert schedule.stamp_after(NOW, NOW) == NOW + tick
    assert schedule.stamp_after(NOW, NOW - timedelta(hours=1)) == NOW + tick


def test_the_first_day_is_due_at_once_and_the_next_after_the_interval() -> None:
    pacer = Pacer(4, now_s=10.0)
    assert [pacer.wait_s(10.0), pacer.wait_s(10.0), pacer.wait_s(10.25)] == [0.0, 0.25, 0.25]


def test_a_late_day_is_made_up_for_so_that_the_pace_does_not_drift() -> None:
    pacer = Pacer(2, now_s=0.0)
    assert pacer.wait_s(0.0) == 0.0
    assert pacer.wait_s(0.9) == 0.0  # due at 0.5
    assert pacer.wait_s(0.9) == pytest.approx(0.1)  # due at 1.0


def test_after_an_outage_the_pace_starts_anew_instead_of_rushing() -> None:
    pacer = Pacer(2, now_s=0.0)
    assert pacer.wait_s(60.0) == 0.0
    assert pacer.wait_s(60.0) == 0.5
