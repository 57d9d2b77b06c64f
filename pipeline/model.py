"""The reference model: a ridge regression of the next day's log return, fitted on the past. Pure.

Rules. 1. What is predicted at the close of day t uses bars of days up to t, for the fit, the
scaling and the confidence alike. 2. Every fit keeps what it takes to attribute a prediction
exactly. 3. Penalties and windows follow from stated beliefs, not from a search for the best score
on these data, so that the evaluation stays honest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from pipeline.bars import Dates, Floats, Series
from pipeline.features import NAMES, compute_features

MODEL_VERSION = "replay-ridge-1"
HORIZON = "1d"
INTERCEPT = "intercept"

REFIT_EVERY_DAYS = 21
LEAST_TRAINING_ROWS = 60
MOST_TRAINING_ROWS = 756
# Each belief as the number of rows that weigh as much: six features explain about 0.2 % of a daily
# return's variance (6 / 0.002), and the daily drift is about 3 % of its standard deviation
# (1 / 0.03 ** 2). Both pull a short history towards "no move".
PENALTY_ROWS = 3_000
DRIFT_PENALTY_ROWS = 1_000
INTERVAL_LEVEL = 0.8
"""The share of next closes that the stated interval should hold."""
LEAST_RESIDUALS = 21
MOST_RESIDUALS = 252

_NEGLIGIBLE = 1e-12
# Standard deviations to either side of a normal mean that hold `INTERVAL_LEVEL`.
_REACH = NormalDist().inv_cdf((1 + INTERVAL_LEVEL) / 2)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """One fitted regression over `names`; the arrays have the shape (len(names),).

    `coefficients` are log returns per standard deviation of a feature, `means` and `scales`
    standardise a feature. `first_date` is the day of the oldest training row, `last_date` the day
    of the newest bar used (the target of the newest row), `rows` the number of training rows.
    """

    names: tuple[str, ...]
    coefficients: Floats
    intercept: float
    means: Floats
    scales: Floats
    first_date: date
    last_date: date
    rows: int

    def attribute(self, inputs: Floats) -> Floats:
        """What each feature adds to the log return: (..., features) in, the same shape out."""
        return self.coefficients * (inputs - self.means) / self.scales

    def predict(self, inputs: Floats) -> Floats:
        """The log return from this day's close to the next: (..., features) in, (...) out."""
        total: Floats = self.attribute(inputs).sum(axis=-1) + self.intercept
        return total

    def contributions(self, inputs: Floats) -> dict[str, float]:
        """The part of each feature and of the intercept; together they are `predict(inputs)`."""
        shares = dict(zip(self.names, self.attribute(inputs).tolist(), strict=True))
        return {INTERCEPT: self.intercept, **shares}


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is predicted at the close of `as_of` for the next trading day; prices in dollars.

    `confidence` is as `confidence_in` has it, `residual_sd` the standard deviation that it used.
    """

    symbol: str
    as_of: date
    current_price: float
    predicted_price: float
    predicted_log_return: float
    residual_sd: float
    confidence: float
    inputs: dict[str, float]
    contributions: dict[str, float]
    fit: Fit

    @property
    def interval(self) -> tuple[float, float]:
        """Prices that hold the next close with `INTERVAL_LEVEL`, if moves are as `confidence_in` has them."""
        reach = math.exp(_REACH * self.residual_sd)
        return self.predicted_price / reach, self.predicted_price * reach


@dataclass(frozen=True, slots=True, eq=False)
class WalkForward:
    """All predictions for one symbol, oldest first; the arrays share the first dimension.

    `rows` are the positions in `series` at whose close was predicted, `inputs` the features there,
    `fit_numbers` the positions in `fits` of the regressions that were used.
    """

    series: Series
    rows: npt.NDArray[np.int64]
    inputs: Floats
    predicted_log_returns: Floats
    residual_sds: Floats
    confidences: Floats
    fit_numbers: npt.NDArray[np.int64]
    fits: tuple[Fit, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def dates(self) -> Dates:
        """The days at whose close was predicted."""
        return self.series.dates[self.rows]

    def prediction(self, position: int) -> Prediction:
        """The prediction at `position` (0 is the oldest)."""
        fit = self.fits[self.fit_numbers[position]]
        row, inputs = self.rows[position], self.inputs[position]
        log_return = float(self.predicted_log_returns[position])
        close = float(self.series.close[row])
        return Prediction(
            symbol=self.series.symbol,
            as_of=self.series.dates[row].item(),
            current_price=close,
            predicted_price=close * math.exp(log_return),
            predicted_log_return=log_return,
            residual_sd=float(self.residual_sds[position]),
            confidence=float(self.confidences[position]),
            inputs=dict(zip(NAMES, inputs.tolist(), strict=True)),
            contributions=fit.contributions(inputs),
            fit=fit,
        )


def walk_forward(series: Series) -> WalkForward:
    """Predict at each day's close, refitting every `REFIT_EVERY_DAYS` on the rows known by then.

    The first `LEAST_RESIDUALS` predictions only serve to measure the model's error, and are left
    out.
    A series that is too short for one prediction gives an empty result.
    """
    features = compute_features(series)
    targets = next_log_returns(series)
    first = _first_complete_row(features)
    predicted = np.full(len(series), np.nan)
    fit_numbers = np.zeros(len(series), dtype=np.int64)
    fits: list[Fit] = []
    for day in range(first + LEAST_TRAINING_ROWS, len(series), REFIT_EVERY_DAYS):
        fit = _fit_before(day, max(first, day - MOST_TRAINING_ROWS), series, features, targets)
        until = min(day + REFIT_EVERY_DAYS, len(series))
        predicted[day:until] = fit.predict(features[day:until])
        fit_numbers[day:until] = len(fits)
        fits.append(fit)
    deviations = past_deviation(targets - predicted)
    rows = np.flatnonzero(np.isfinite(deviations))
    return WalkForward(
        series=series,
        rows=rows,
        inputs=features[rows],
        predicted_log_returns=predicted[rows],
        residual_sds=deviations[rows],
        confidences=confidence_in(predicted[rows], deviations[rows]),
        fit_numbers=fit_numbers[rows],
        fits=tuple(fits),
    )


def next_log_returns(series: Series) -> Floats:
    """The adjusted log return from each day's close to the next, shape (days,); the last is NaN."""
    return np.append(np.diff(np.log(series.adj_close)), np.nan)[: len(series)]


def fit_ridge(inputs: Floats, targets: Floats, *, first_date: date, last_date: date) -> Fit:
    """Fit `targets` (rows,) on standardised `inputs` (rows, features), each pulled to 0."""
    means, scales = inputs.mean(axis=0), inputs.std(axis=0)
    scales = np.where(scales > _NEGLIGIBLE, scales, 1.0)
    standardised = (inputs - means) / scales
    rows, width = inputs.shape
    gram = standardised.T @ standardised + PENALTY_ROWS * np.eye(width)
    return Fit(
        names=NAMES,
        coefficients=np.linalg.solve(gram, standardised.T @ targets),
        intercept=float(targets.sum()) / (rows + DRIFT_PENALTY_ROWS),
        means=means,
        scales=scales,
        first_date=first_date,
        last_date=last_date,
        rows=rows,
    )


def past_deviation(residuals: Floats) -> Floats:
    """At each day, the root mean square of the newest residuals known at its close, shape (days,).

    The residual of day t is known at the close of day t + 1. The newest `MOST_RESIDUALS` count; NaN
    until there are `LEAST_RESIDUALS`. `residuals` are NaN before the first prediction and on the
    last day, and nowhere between.
    """
    deviations = np.full(len(residuals), np.nan)
    known = np.flatnonzero(np.isfinite(residuals))
    if len(known) < LEAST_RESIDUALS:
        return deviations
    first = known[0]
    squares = np.concatenate([[0.0], np.cumsum(residuals[known] ** 2)])
    newest = np.arange(LEAST_RESIDUALS, len(squares))
    oldest = np.maximum(newest - MOST_RESIDUALS, 0)
    mean_squares = (squares[newest] - squares[oldest]) / (newest - oldest)
    deviations[first + newest] = np.sqrt(np.maximum(mean_squares, 0.0))
    return deviations


def confidence_in(predicted: Floats, deviations: Floats) -> Floats:
    """The probability that the next move has the predicted sign: Phi(abs(predicted) / deviation).

    It holds if the move is normal around the prediction with the standard deviation of the model's
    own earlier out-of-sample residuals (at most a year of them). Between 0.5, a coin toss, and 1.
    It says nothing about the size of the move; `pipeline.evaluation` compares it with what came.
    """
    ratios = np.abs(predicted) / np.maximum(deviations, _NEGLIGIBLE)
    return np.array([0.5 * (1.0 + math.erf(ratio / math.sqrt(2.0))) for ratio in ratios.tolist()])


def _fit_before(day: int, oldest: int, series: Series, features: Floats, targets: Floats) -> Fit:
    """Fit on the rows `oldest` to ``day - 1``: at the close of `day` their targets are known."""
    return fit_ridge(
        features[oldest:day],
        targets[oldest:day],
        first_date=series.dates[oldest].item(),
        last_date=series.dates[day].item(),
    )


def _first_complete_row(features: Floats) -> int:
    """The position of the first row without NaN, or the number of rows."""
    complete = np.isfinite(features).all(axis=1)
    return int(complete.argmax()) if complete.any() else len(features)
