"""The record counts what was known by then, and its wording is as good or bad as the numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.bars import Floats, Series
from pipeline.evaluation import Outcomes, measure, outcomes_of
from pipeline.known_past import KnownPast, build_market
from pipeline.past_record import find_record


@pytest.fixture(scope="module")
def past(series: dict[str, Series]) -> KnownPast:
    return build_market(series["MSFT"]).known_at(1000)


def with_outcomes(past: KnownPast, count: int, predicted: Floats, actual: Floats) -> KnownPast:
    outcomes = Outcomes(
        dates=np.datetime64("2001-01-01") + np.arange(count),
        today=np.full(count, 100.0),
        predicted=predicted,
        actual=actual,
        confidences=np.full(count, 0.6),
    )
    return replace(past, outcomes=outcomes)


def test_the_record_is_the_evaluation_of_the_predictions_before_it(past: KnownPast) -> None:
    record, told = find_record(past)
    assert record is not None
    measured = measure("MSFT", past.outcomes)
    assert (record.predictions, record.mape, record.naive_mape, record.hit_rate) == (
        1000,
        measured.model.mape,
        measured.naive.mape,
        measured.hit_rate,
    )
    assert told.text.startswith(record.text)
    assert told.sources == ["evaluation"]


def test_the_last_days_record_is_that_of_the_whole_evaluation(series: dict[str, Series]) -> None:
    market = build_market(series["GOOG"])
    record, _ = find_record(market.known_at(len(market.walk) - 1))
    assert record is not None
    assert record.mape == measure("GOOG", outcomes_of(market.walk)).model.mape


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.5, "the model was slightly better than the naive forecast"),
        (-0.5, "the model was worse than the naive forecast"),
        (0.0, "the model was no better than the naive forecast"),
    ],
)
def test_the_verdict_is_as_the_numbers_are(past: KnownPast, share: float, expected: str) -> None:
    moves = np.sin(np.arange(200.0)) + 0.01
    record, told = find_record(with_outcomes(past, 200, 100 + share * moves, 100 + moves))
    assert record is not None
    assert expected in record.text
    assert ("within chance" in record.text) == (share == 0)
    assert len(record.text) <= 500
    assert "Its stated confidence was 60.0% on average." in told.text


def test_few_predictions_are_not_judged(past: KnownPast) -> None:
    record, told = find_record(with_outcomes(past, 1, np.array([101.0]), np.array([110.0])))
    assert record is not None
    assert "too few predictions to judge it by" in record.text
    assert "Over 1 earlier prediction it missed the next close by 8.182% of the price" in record.text
    assert "right direction in 100.0%" in told.text


def test_the_first_prediction_has_no_record(past: KnownPast) -> None:
    empty = np.array([])
    record, told = find_record(with_outcomes(past, 0, empty, empty))
    assert record is None
    assert "is the first day predicted for MSFT" in told.text
