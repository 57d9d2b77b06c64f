"""The model sees the past only, its contributions add up, and its confidence is a probability."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import model
from pipeline.bars import Series, load_series
from pipeline.features import NAMES, compute_features
from pipeline.model import WalkForward, walk_forward

FIRST_PREDICTABLE = 62 + model.LEAST_TRAINING_ROWS + model.LEAST_RESIDUALS


def slice_of(series: Series, days: slice) -> Series:
    return replace(
        series,
        dates=series.dates[days],
        close=series.close[days],
        adj_close=series.adj_close[days],
        volume=series.volume[days],
    )


SHORT = slice_of(load_series()["IBM"], slice(0, 320))
SHORT_WALK = walk_forward(SHORT)


@settings(deadline=None, max_examples=60)
@given(
    day=st.integers(FIRST_PREDICTABLE, len(SHORT) - 2),
    factors=st.lists(st.floats(0.01, 100), min_size=3, max_size=3),
    only_next=st.booleans(),
)
def test_a_change_of_any_future_bar_changes_no_earlier_prediction(
    day: int, factors: list[float], only_next: bool
) -> None:
    future = slice(day + 1, day + 2 if only_next else None)
    close, adj_close, volume = SHORT.close.copy(), SHORT.adj_close.copy(), SHORT.volume.copy()
    for values, factor in zip((close, adj_close, volume), factors, strict=True):
        values[future] *= factor
    changed = walk_forward(replace(SHORT, close=close, adj_close=adj_close, volume=volume))
    known = SHORT_WALK.rows <= day
    np.testing.assert_array_equal(changed.rows, SHORT_WALK.rows)
    for name in ("inputs", "predicted_log_returns", "residual_sds", "confidences", "fit_numbers"):
        before, after = getattr(SHORT_WALK, name)[known], getattr(changed, name)[known]
        np.testing.assert_array_equal(after, before, err_msg=name)


@pytest.mark.parametrize("days", [FIRST_PREDICTABLE + 1, 200, 1000, 2500])
def test_bars_that_never_came_change_no_earlier_prediction(
    series: dict[str, Series], walks: dict[str, WalkForward], days: int
) -> None:
    cut = walk_forward(slice_of(series["AAPL"], slice(0, days)))
    whole = walks["AAPL"]
    assert len(cut) == (whole.rows < days).sum()
    for name in ("predicted_log_returns", "residual_sds", "confidences"):
        np.testing.assert_allclose(
            getattr(cut, name), getattr(whole, name)[: len(cut)], rtol=1e-9, err_msg=name
        )


def test_a_prediction_reacts_to_the_bar_of_its_own_day() -> None:
    adj_close = SHORT.adj_close.copy()
    adj_close[-1] *= 1.05
    changed = walk_forward(replace(SHORT, adj_close=adj_close))
    assert changed.predicted_log_returns[-1] != SHORT_WALK.predicted_log_returns[-1]


def test_every_day_from_the_first_predictable_one_is_predicted(
    walks: dict[str, WalkForward],
) -> None:
    for walk in walks.values():
        assert walk.rows.tolist() == list(range(FIRST_PREDICTABLE, len(walk.series)))
    assert len(walks["FB"]) == 53


def test_contributions_sum_to_the_predicted_log_return(walks: dict[str, WalkForward]) -> None:
    for walk in walks.values():
        for position in range(0, len(walk), 17):
            prediction = walk.prediction(position)
            assert list(prediction.contributions) == [model.INTERCEPT, *NAMES]
            assert math.fsum(prediction.contributions.values()) == pytest.approx(
                prediction.predicted_log_return, rel=1e-9, abs=1e-15
            )


def test_prices_are_the_quoted_close_moved_by_the_predicted_return(
    series: dict[str, Series], walks: dict[str, WalkForward]
) -> None:
    last = walks["AAPL"].prediction(len(walks["AAPL"]) - 1)
    assert (last.symbol, last.as_of, last.current_price) == ("AAPL", date(2013, 3, 1), 430.47)
    assert last.predicted_price == pytest.approx(430.47 * math.exp(last.predicted_log_return))
    newest = compute_features(series["AAPL"])[-1]
    assert last.inputs == dict(zip(NAMES, newest.tolist(), strict=True))


def test_each_fit_ends_at_the_latest_on_the_day_it_predicts_for(
    walks: dict[str, WalkForward],
) -> None:
    for walk in walks.values():
        for position in range(0, len(walk), 13):
            fit = walk.fits[walk.fit_numbers[position]]
            age = walk.rows[position] - np.searchsorted(walk.series.dates, fit.last_date)
            assert 0 <= age < model.REFIT_EVERY_DAYS
            assert model.LEAST_TRAINING_ROWS <= fit.rows <= model.MOST_TRAINING_ROWS


def test_a_fit_equals_the_textbook_solution(series: dict[str, Series]) -> None:
    inputs = compute_features(series["IBM"])[62:400]
    targets = model.next_log_returns(series["IBM"])[62:400]
    day = date(2001, 1, 1)
    fit = model.fit_ridge(inputs, targets, first_date=day, last_date=day)
    columns = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    # A ridge is least squares with a row for each penalty: its root on the diagonal, target 0.
    rows = np.column_stack([np.ones(len(columns)), columns])
    penalty = np.diag([model.DRIFT_PENALTY_ROWS] + [model.PENALTY_ROWS] * len(NAMES))
    expected, *_ = np.linalg.lstsq(
        np.vstack([rows, np.sqrt(penalty)]), np.append(targets, np.zeros(len(penalty)))
    )
    assert [fit.intercept, *fit.coefficients.tolist()] == pytest.approx(expected.tolist(), rel=1e-6)
    np.testing.assert_allclose(fit.predict(inputs), rows @ expected, rtol=1e-6, atol=1e-12)


def test_confidence_is_a_probability_of_at_least_a_coin_toss(
    walks: dict[str, WalkForward],
) -> None:
    for walk in walks.values():
        assert ((walk.confidences >= 0.5) & (walk.confidences <= 1)).all()


def test_confidence_is_the_normal_probability_of_the_predicted_sign() -> None:
    confidences = model.confidence_in(np.array([0.0, 0.01, -0.01, 0.02]), np.full(4, 0.01))
    expected = [0.5, 0.8413447460685429, 0.8413447460685429, 0.9772498680518208]
    assert confidences.tolist() == pytest.approx(expected)


def test_confidence_without_any_past_error_is_certain_but_for_no_move() -> None:
    confidences = model.confidence_in(np.array([0.0, 0.01]), np.zeros(2))
    assert confidences.tolist() == [0.5, 1.0]


def test_past_deviation_uses_the_residuals_known_that_day() -> None:
    length = model.MOST_RESIDUALS + 60
    residuals = np.sin(np.arange(length, dtype=np.float64))
    residuals[:5] = np.nan
    residuals[-1] = np.nan
    deviations = model.past_deviation(residuals)
    assert np.isnan(deviations[: 5 + model.LEAST_RESIDUALS]).all()
    for day in range(5 + model.LEAST_RESIDUALS, length):
        known = residuals[max(5, day - model.MOST_RESIDUALS) : day]
        assert deviations[day] == pytest.approx(math.sqrt((known**2).mean()))


@pytest.mark.parametrize("length", [0, 1, 62, 63, 122, 130, FIRST_PREDICTABLE])
def test_too_short_a_series_is_not_predicted(series: dict[str, Series], length: int) -> None:
    assert len(walk_forward(slice_of(series["IBM"], slice(0, length)))) == 0


def test_a_price_that_never_moves_is_predicted_to_stay(series: dict[str, Series]) -> None:
    days = 200
    flat = replace(slice_of(series["IBM"], slice(0, days)), close=np.ones(days), adj_close=np.ones(days))
    walk = walk_forward(flat)
    assert len(walk) == days - FIRST_PREDICTABLE
    assert (walk.predicted_log_returns == 0).all()
    assert (walk.confidences == 0.5).all()
