"""What is known of a symbol at the close of a day, cut there, so that no explanation can look ahead. Pure.

A `Market` holds all days; `Market.known_at` gives the part that a prediction may be explained with.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from pipeline.bars import Dates, Floats, Series
from pipeline.evaluation import Outcomes, outcomes_of
from pipeline.features import compute_features
from pipeline.model import (
    LEAST_RESIDUALS,
    MOST_RESIDUALS,
    Prediction,
    WalkForward,
    next_log_returns,
    walk_forward,
)


@dataclass(frozen=True, slots=True, eq=False)
class KnownPast:
    """A prediction with what was known at its close.

    `dates` (days,), `inputs` (days, features) and `moves` (days,) are the earlier days whose features are
    complete and whose next log return was known. `outcomes` are the earlier predictions with a known next
    day. `residuals` counts the errors that the prediction's confidence rests on. `adj_close` is in dollars.
    """

    prediction: Prediction
    first_bar: date
    adj_close: float
    dates: Dates
    inputs: Floats
    moves: Floats
    outcomes: Outcomes
    residuals: int


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """A symbol's walk-forward predictions; `inputs` and `moves` cover every bar, NaN where unknown."""

    walk: WalkForward
    inputs: Floats
    moves: Floats
    outcomes: Outcomes
    positions: dict[date, int]

    def known_at(self, position: int) -> KnownPast:
        """What was known when the prediction at `position` was made."""
        walk, row = self.walk, int(self.walk.rows[position])
        first = int(np.isfinite(self.inputs).all(axis=1).argmax())
        # The next return of the day before `row` ends at the close of `row`: the newest that is known.
        past = slice(first, row)
        return KnownPast(
            prediction=walk.prediction(position),
            first_bar=walk.series.dates[0].item(),
            adj_close=float(walk.series.adj_close[row]),
            dates=walk.series.dates[past],
            inputs=self.inputs[past],
            moves=self.moves[past],
            outcomes=_first(self.outcomes, position),
            residuals=min(MOST_RESIDUALS, LEAST_RESIDUALS + position),
        )


def build_market(series: Series) -> Market:
    """Predict every day of `series`, with what explaining the predictions takes."""
    walk = walk_forward(series)
    return Market(
        walk=walk,
        inputs=compute_features(series),
        moves=next_log_returns(series),
        outcomes=outcomes_of(walk),
        positions={day: position for position, day in enumerate(walk.dates.tolist())},
    )


def _first(outcomes: Outcomes, count: int) -> Outcomes:
    """The oldest `count`: rows are consecutive, so that these ended at the close of the next one."""
    return Outcomes(
        dates=outcomes.dates[:count],
        today=outcomes.today[:count],
        predicted=outcomes.predicted[:count],
        actual=outcomes.actual[:count],
        confidences=outcomes.confidences[:count],
    )
