"""A needed value put back into the model turns the prediction around; what cannot be is left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from pipeline.bars import Series
from pipeline.features import NAMES, VOLATILITY_21D
from pipeline.known_past import build_market
from pipeline.model import Fit, Prediction
from pipeline.what_if import MOST_DEVIATIONS, find_what_ifs, tell_what_ifs

DAY = date(2001, 1, 2)


def predict(
    coefficients: list[float], *, intercept: float = 0.001, means: float = 1.0, **inputs: float
) -> Prediction:
    """A prediction by a model whose inputs have the average `means` and the spread 0.1."""
    fit = Fit(
        names=NAMES,
        coefficients=np.array(coefficients),
        intercept=intercept,
        means=np.full(6, means),
        scales=np.full(6, 0.1),
        first_date=DAY,
        last_date=DAY,
        rows=100,
    )
    values = {name: inputs.get(name, means) for name in NAMES}
    log_return = float(fit.predict(np.array(list(values.values()))))
    return Prediction("A", DAY, 1.0, 1.0, log_return, 0.01, 0.5, values, {}, fit)


@pytest.mark.parametrize("symbol", ["AAPL", "FB", "GOOG", "IBM", "MSFT"])
def test_the_needed_value_put_back_turns_the_sign(series: dict[str, Series], symbol: str) -> None:
    walk = build_market(series[symbol]).walk
    found_any = False
    for position in range(0, len(walk), 3):
        prediction = walk.prediction(position)
        for one in find_what_ifs(prediction):
            found_any = True
            inputs = np.array([{**prediction.inputs, one.name: one.needed}[name] for name in NAMES])
            turned = float(prediction.fit.predict(inputs))
            assert turned * prediction.predicted_log_return < 0
            assert abs(turned) < 1e-5 * abs(prediction.predicted_log_return)
            assert one.input == prediction.inputs[one.name]
    assert found_any


def test_the_least_change_comes_first() -> None:
    found = find_what_ifs(predict([0.001, 0.002, 0.0005, 0, 0, 0]))
    assert [one.name for one in found] == [NAMES[1], NAMES[0], NAMES[2]]
    assert [round(one.needed, 4) for one in found] == [0.95, 0.9, 0.8]


def test_an_input_without_weight_cannot_turn_anything() -> None:
    assert find_what_ifs(predict([0.0] * 6)) == []


def test_a_value_beyond_all_numbers_is_left_out() -> None:
    assert find_what_ifs(predict([5e-324] * 6)) == []


def test_a_volatility_below_zero_is_left_out() -> None:
    weights = [0.0] * 6
    weights[NAMES.index(VOLATILITY_21D)] = 0.001
    assert find_what_ifs(predict(weights, means=0.05)) == []
    assert [one.name for one in find_what_ifs(predict(weights, means=0.5))] == [VOLATILITY_21D]


def test_a_value_absurdly_far_away_is_left_out_unless_the_input_is_there_already() -> None:
    weight = 0.001 / (MOST_DEVIATIONS + 1)
    assert find_what_ifs(predict([weight, 0, 0, 0, 0, 0])) == []
    far = predict([0.001, 0, 0, 0, 0, 0], intercept=-0.006, return_1d=1.9)
    assert [one.name for one in find_what_ifs(far)] == ["return_1d"]


def test_the_text_says_from_where_to_where_and_which_way() -> None:
    weights = [0.002, 0, 0, 0, 0, 0]
    rise, fall = (find_what_ifs(predict(weights, intercept=x, means=0.0)) for x in (1e-3, -1e-3))
    assert rise[0].text == (
        "The return over 1 day would have to be below -4.88% instead of 0%, all else equal, to turn the "
        "predicted rise into a fall. The change is 0.5 times the usual spread of this input."
    )
    assert "above +5.13%" in fall[0].text
    assert "fall into a rise" in fall[0].text


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([0.0] * 6, "No single input would turn the predicted direction around within reason: no possible"),
        ([0.001, 0, 0, 0, 0, 0], "Five inputs are left out, because no possible value would do"),
        ([0.001, 0.001, 0.001, 0.001, 0.001, 0], "One input is left out, because"),
        ([0.001] * 6, "one of these alone were different enough"),
    ],
)
def test_what_is_left_out_is_told(weights: list[float], expected: str) -> None:
    prediction = predict(weights)
    told = tell_what_ifs(find_what_ifs(prediction), prediction)
    assert expected in told.text
    assert ("left out" in told.text) == (0 < weights.count(0) < 6)
    assert told.sources == ["model", "data"]


def test_without_a_predicted_move_there_is_nothing_to_turn() -> None:
    still = replace(predict([0.001] * 6), predicted_log_return=0.0)
    assert find_what_ifs(still) == []
    assert "no direction to turn around" in tell_what_ifs([], still).text
