"""The measures equal what a hand computes, and the text says what the numbers say."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from pipeline import evaluation
from pipeline.evaluation import Evaluation, Outcomes
from pipeline.model import WalkForward, walk_forward


def outcomes(
    today: list[float], predicted: list[float], actual: list[float], confidences: list[float]
) -> Outcomes:
    return Outcomes(
        dates=np.datetime64("2001-01-01") + np.arange(len(today)),
        today=np.array(today),
        predicted=np.array(predicted),
        actual=np.array(actual),
        confidences=np.array(confidences),
    )


SMALL = outcomes(
    today=[100, 100, 100, 100],
    predicted=[105, 95, 101, 102],
    actual=[110, 110, 100, 80],
    confidences=[0.505, 0.515, 0.515, 0.9],
)


def test_errors_are_those_of_a_hand_computation() -> None:
    measured = evaluation.measure("X", SMALL)
    assert measured.count == 4
    assert measured.model.mae == pytest.approx((5 + 15 + 1 + 22) / 4)
    assert measured.naive.mae == pytest.approx((10 + 10 + 0 + 20) / 4)
    assert measured.model.mape == pytest.approx((5 / 110 + 15 / 110 + 1 / 100 + 22 / 80) / 4)
    assert measured.naive.mape == pytest.approx((10 / 110 + 10 / 110 + 0 + 20 / 80) / 4)
    assert measured.model.rmse == pytest.approx(math.sqrt((25 + 225 + 1 + 484) / 4))
    assert measured.naive.rmse == pytest.approx(math.sqrt((100 + 100 + 0 + 400) / 4))
    assert measured.ratio == pytest.approx(measured.model.mape / measured.naive.mape)


def test_a_day_without_a_move_is_a_miss() -> None:
    measured = evaluation.measure("X", SMALL)
    assert measured.hit_rate == 0.25
    assert measured.up_rate == 0.5


def test_calibration_counts_each_prediction_in_its_bin() -> None:
    bins = evaluation.measure("X", SMALL).calibration
    assert [(b.low, b.high, b.count, b.hit_rate) for b in bins] == [
        (0.50, 0.51, 1, 1.0),
        (0.51, 0.52, 2, 0.0),
        (0.56, 1.0, 1, 0.0),
    ]
    assert [b.mean_confidence for b in bins] == pytest.approx([0.505, 0.515, 0.9])
    assert bins[1].standard_error == pytest.approx(math.sqrt(0.515 * 0.485 / 2))


def test_the_edges_of_the_bins_belong_to_the_bin_above_but_for_the_last() -> None:
    bins = evaluation.calibrate(np.array([0.50, 0.51, 1.0]), np.ones(3))
    assert [(b.low, b.count) for b in bins] == [(0.50, 1), (0.51, 1), (0.56, 1)]


def test_symbols_of_one_day_count_as_one_day() -> None:
    days = np.array(["2001-01-01", "2001-01-01", "2001-01-02", "2001-01-03"], dtype="M8[D]")
    gains = np.array([1.0, 3.0, 4.0, 6.0])  # daily means 2, 4 and 6: mean 4, deviation 2
    assert evaluation.daily_t(gains, days) == pytest.approx(4 / (2 / math.sqrt(3)))


def test_t_is_unknown_without_variation() -> None:
    days = np.array(["2001-01-01", "2001-01-02", "2001-01-03"], dtype="M8[D]")
    assert math.isnan(evaluation.daily_t(np.ones(1), days[:1]))
    assert math.isnan(evaluation.daily_t(np.ones(3), days))


def test_the_ratio_is_unknown_where_naive_never_errs() -> None:
    assert math.isnan(evaluation.measure("X", outcomes([1, 2], [1, 2], [1, 2], [0.5, 0.5])).ratio)


@pytest.mark.parametrize(
    ("gain_t", "mape", "expected"),
    [
        (0.3, 0.0099, "does NOT beat the naive forecast"),
        (math.nan, 0.0099, "does NOT beat the naive forecast"),
        (-2.5, 0.0101, "WORSE than the naive forecast"),
        (2.5, 0.0099, "The model beats the naive forecast"),
    ],
)
def test_the_verdict_says_what_the_numbers_say(gain_t: float, mape: float, expected: str) -> None:
    plain = evaluation.measure("X", SMALL)
    measured = replace(
        plain,
        gain_t=gain_t,
        model=replace(plain.model, mape=mape),
        naive=replace(plain.naive, mape=0.01),
    )
    text = evaluation.verdict_on(measured)
    assert expected in text
    assert f"1.000% {'above' if mape > 0.01 else 'below'} naive" in text
    assert ("within the noise" in text) == ("NOT" in text)


@pytest.fixture(scope="module")
def measured(walks: dict[str, WalkForward]) -> list[Evaluation]:
    return evaluation.evaluate(list(walks.values()))


def test_real_data_are_evaluated_per_symbol_and_in_total(measured: list[Evaluation]) -> None:
    counts = {one.label: one.count for one in measured}
    assert counts == {
        "AAPL": 3126,
        "FB": 52,
        "GOOG": 2004,
        "IBM": 3126,
        "MSFT": 3126,
        "all": 11434,
    }
    assert sum(b.count for b in measured[-1].calibration) == 11434
    # A daily model that is far from naive has either a bug or a look into the future.
    assert all(0.98 < one.ratio < 1.02 for one in measured)
    assert all(0.4 < one.hit_rate < 0.6 for one in measured)


def test_mean_confidence_is_close_to_the_hit_rate_on_real_data(
    measured: list[Evaluation],
) -> None:
    total = measured[-1]
    assert total.mean_confidence == pytest.approx(total.hit_rate, abs=0.02)


def test_the_table_names_every_symbol_the_model_and_the_verdict(
    measured: list[Evaluation],
) -> None:
    text = evaluation.render(measured)
    starts = {line.split(" ")[0] for line in text.splitlines()}
    assert {"AAPL", "FB", "GOOG", "IBM", "MSFT", "all", "replay-ridge-1:"} <= starts
    assert evaluation.verdict_on(measured[-1]) in text
    assert "adjusted prices" in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_nothing_to_evaluate_is_refused(walks: dict[str, WalkForward]) -> None:
    bars = walks["FB"].series
    short = replace(
        bars,
        dates=bars.dates[:100],
        close=bars.close[:100],
        adj_close=bars.adj_close[:100],
        volume=bars.volume[:100],
    )
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluation.evaluate([walk_forward(short)])
