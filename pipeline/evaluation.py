"""How good the predictions were, against the naive forecast that tomorrow's price is today's. Pure.

Prices are adjusted closes, so that a split or a dividend is not counted as an error of either side.
An adjusted dollar differs between symbols and years: MAE and RMSE compare within a row of the
table, while MAPE compares between rows, and the verdict rests on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.bars import Dates, Floats
from pipeline.model import MODEL_VERSION, WalkForward

TOTAL = "all"
BIN_EDGES = (0.50, 0.51, 0.52, 0.54, 0.56, 1.0)
# Below this many standard errors a difference is called noise.
NOISE_T = 2.0

_HEADINGS = (
    "              -- MAE, $ ---   --- MAPE -----  -- RMSE, $ --    MAPE  better",
    "symbol  count  model   naive   model   naive   model   naive   ratio    by t   hits    up",
)


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Predictions whose next day is known; arrays have the shape (predictions,), prices adjusted.

    `today` is the price at the prediction, and the naive forecast; `actual` the next day's price.
    """

    dates: Dates
    today: Floats
    predicted: Floats
    actual: Floats
    confidences: Floats


@dataclass(frozen=True, slots=True)
class Errors:
    """Mean absolute and root mean square error in adjusted dollars; `mape` is a share.

    It is a share of the actual price of the next day.
    """

    mae: float
    mape: float
    rmse: float


@dataclass(frozen=True, slots=True)
class Bin:
    """The predictions with a confidence from `low` to below `high` (the last bin: to `high`)."""

    low: float
    high: float
    count: int
    mean_confidence: float
    hit_rate: float

    @property
    def standard_error(self) -> float:
        """How far `hit_rate` strays by chance, were `mean_confidence` its true value."""
        return math.sqrt(self.mean_confidence * (1.0 - self.mean_confidence) / self.count)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The measures of one symbol or of all.

    `hit_rate` is the share of predictions whose sign came true (a day without a move is a miss),
    `up_rate` the share of days that rose, which is what always saying "up" would hit. `gain_t` is
    the mean gain in absolute percentage error over naive, averaged per day, in standard errors;
    positive is better.
    """

    label: str
    count: int
    model: Errors
    naive: Errors
    hit_rate: float
    up_rate: float
    mean_confidence: float
    gain_t: float
    calibration: tuple[Bin, ...]

    @property
    def ratio(self) -> float:
        """MAPE of the model over MAPE of the naive forecast; below 1 the model is better."""
        return self.model.mape / self.naive.mape if self.naive.mape else math.nan


def evaluate(walks: Sequence[WalkForward]) -> list[Evaluation]:
    """One evaluation for each walk that made predictions, then one, called `TOTAL`, over all.

    Raises ValueError where no prediction has a known next day.
    """
    outcomes = {walk.series.symbol: outcomes_of(walk) for walk in walks}
    known = {symbol: found for symbol, found in outcomes.items() if len(found.dates)}
    if not known:
        raise ValueError("no prediction has a known next day, so there is nothing to evaluate")
    together = _concatenate(list(known.values()))
    return [*(measure(symbol, found) for symbol, found in known.items()), measure(TOTAL, together)]


def outcomes_of(walk: WalkForward) -> Outcomes:
    """The predictions of `walk` with what came; the newest bar's has no outcome yet: left out."""
    known = walk.rows + 1 < len(walk.series)
    rows = walk.rows[known]
    today = walk.series.adj_close[rows]
    return Outcomes(
        dates=walk.series.dates[rows],
        today=today,
        predicted=today * np.exp(walk.predicted_log_returns[known]),
        actual=walk.series.adj_close[rows + 1],
        confidences=walk.confidences[known],
    )


def measure(label: str, outcomes: Outcomes) -> Evaluation:
    """Every measure of `outcomes`, of which there is at least one."""
    moves = outcomes.actual - outcomes.today
    hits = (outcomes.predicted - outcomes.today) * moves > 0
    model_errors = np.abs(outcomes.predicted - outcomes.actual) / outcomes.actual
    naive_errors = np.abs(moves) / outcomes.actual
    return Evaluation(
        label=label,
        count=len(moves),
        model=errors_of(outcomes.predicted, outcomes.actual),
        naive=errors_of(outcomes.today, outcomes.actual),
        hit_rate=float(hits.mean()),
        up_rate=float((moves > 0).mean()),
        mean_confidence=float(outcomes.confidences.mean()),
        gain_t=daily_t(naive_errors - model_errors, outcomes.dates),
        calibration=calibrate(outcomes.confidences, hits.astype(np.float64)),
    )


def errors_of(forecast: Floats, actual: Floats) -> Errors:
    """The errors of `forecast` (n,) against `actual` (n,)."""
    missed = np.abs(forecast - actual)
    return Errors(
        mae=float(missed.mean()),
        mape=float((missed / actual).mean()),
        rmse=float(np.sqrt((missed**2).mean())),
    )


def daily_t(gains: Floats, dates: Dates) -> float:
    """Mean of the daily mean of `gains` in standard errors; NaN for fewer than two days.

    Symbols move together within a day, so that a day counts once, however many symbols it has.
    """
    days, position = np.unique(dates, return_inverse=True)
    if len(days) <= 1:
        return math.nan
    daily = np.bincount(position, weights=gains) / np.bincount(position)
    error = float(daily.std(ddof=1)) / math.sqrt(len(days))
    return float(daily.mean()) / error if error > 0 else math.nan


def calibrate(confidences: Floats, hits: Floats, edges: tuple[float, ...] = BIN_EDGES) -> tuple[Bin, ...]:
    """Mean confidence against the share of `hits` (0 or 1) per bin; empty bins are left out."""
    number = np.clip(np.digitize(confidences, edges), 1, len(edges) - 1)
    return tuple(
        Bin(
            low=edges[k - 1],
            high=edges[k],
            count=int((number == k).sum()),
            mean_confidence=float(confidences[number == k].mean()),
            hit_rate=float(hits[number == k].mean()),
        )
        for k in np.unique(number).tolist()
    )


def verdict_on(evaluation: Evaluation) -> str:
    """Plain lines that say whether the model beats the naive forecast."""
    if not abs(evaluation.gain_t) >= NOISE_T:
        verdict, remark = (
            "The model does NOT beat the naive forecast",
            ": a difference within the noise",
        )
    elif evaluation.gain_t < 0:
        verdict, remark = "The model is WORSE than the naive forecast", ""
    else:
        verdict, remark = "The model beats the naive forecast", ""
    size = abs(evaluation.ratio - 1.0)
    side = "above" if evaluation.ratio > 1 else "below"
    return (
        f"{verdict}.\nIts percentage error is {size:.3%} {side} naive (t = {evaluation.gain_t:.1f}){remark}."
    )


def render(evaluations: Sequence[Evaluation]) -> str:
    """The plain text table of `evaluations` (the last is the total) with the verdict below it."""
    total = evaluations[-1]
    bins = total.calibration
    far = sum(abs(b.hit_rate - b.mean_confidence) > NOISE_T * b.standard_error for b in bins)
    return "\n".join(
        [
            f"{MODEL_VERSION}: walk-forward predictions of the next day's close against the naive",
            "forecast (tomorrow = today), in adjusted prices, so that splits are no errors.",
            "",
            *_HEADINGS,
            *(_line(evaluation) for evaluation in evaluations),
            "",
            verdict_on(total),
            f"Direction: {total.hit_rate:.1%} came true; always saying 'up' would hit {total.up_rate:.1%}.",
            f"Confidence: {total.mean_confidence:.1%} on average; "
            f"{far} of {len(bins)} bins miss by more than {NOISE_T:g} standard errors:",
            "",
            "confidence   count  mean conf.      hits   +- error",
            *(_bin_line(one) for one in bins),
        ]
    )


def _line(e: Evaluation) -> str:
    return (
        f"{e.label:6} {e.count:6d} {e.model.mae:6.3f}  {e.naive.mae:6.3f}  "
        f"{e.model.mape:6.3%}  {e.naive.mape:6.3%}  {e.model.rmse:6.3f}  {e.naive.rmse:6.3f}  "
        f"{e.ratio:6.4f}  {e.gain_t:6.2f}  {e.hit_rate:5.1%} {e.up_rate:5.1%}"
    )


def _bin_line(b: Bin) -> str:
    return (
        f"{b.low:4.2f}-{b.high:4.2f} {b.count:7d} {b.mean_confidence:11.3f} {b.hit_rate:9.3f}"
        f" {b.standard_error:10.3f}"
    )


def _concatenate(parts: Sequence[Outcomes]) -> Outcomes:
    return Outcomes(
        dates=np.concatenate([part.dates for part in parts]),
        today=np.concatenate([part.today for part in parts]),
        predicted=np.concatenate([part.predicted for part in parts]),
        actual=np.concatenate([part.actual for part in parts]),
        confidences=np.concatenate([part.confidences for part in parts]),
    )
