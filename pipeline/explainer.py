"""The reference explainer: loads the past once, and tells the model's own predictions from all others.

The one impure part of explaining: it reads the bars. What is said about a prediction is in
`pipeline.explaining` and `pipeline.given_explanation`; who orders it and stores it is no matter of it.
"""

from __future__ import annotations

import logging

from events.explanations import ExplainOrder, Explanation, PinnedPrediction
from pipeline.bars import BarsUnavailable, load_series
from pipeline.explaining import Report, explain_known
from pipeline.given_explanation import explain_given, predicted_move
from pipeline.known_past import KnownPast, Market, build_market
from pipeline.model import MODEL_VERSION, Prediction
from pipeline.wording import shorten

logger = logging.getLogger(__name__)

# How far a recorded price may be from the recomputed one, as a share, and a move as a log return.
TOLERANCE = 1e-9


class NotRecomputable(Exception):
    """The prediction cannot be traced back to the reference model; the text says why, for the caller."""


class ReferenceExplainer:
    """Explains predictions of the reference model exactly, and others by what came with them.

    The same order always gets the same answer. Threads may share one: at worst two load the data at once.
    """

    def __init__(self) -> None:
        self._markets: dict[str, Market] | None = None

    def prepare(self) -> None:
        """Load the bars and predict every day, about half a second, once; raises `BarsUnavailable`."""
        if self._markets is None:
            self._markets = {symbol: build_market(series) for symbol, series in load_series().items()}

    def explain(self, order: ExplainOrder, report: Report) -> Explanation:
        """Answer `order`; calls `report` with the share done, ending at 1, and what comes next.

        Raises for no valid order: what cannot be recomputed is explained by what came with it, and the
        explanation says so.
        """
        report(0.0, "loading the model and its data")
        try:
            past = self._recompute(order.prediction, report)
        except NotRecomputable as reason:
            return explain_given(order.depth, order.prediction, str(reason), report)
        return explain_known(order.depth, order.prediction, past, report)

    def _recompute(self, pinned: PinnedPrediction, report: Report) -> KnownPast:
        """What was known at the pinned prediction's close; raises `NotRecomputable`."""
        market = self._find_market(pinned)
        position = market.positions.get(pinned.as_of.date())
        if position is None:
            raise NotRecomputable(
                f"The model {MODEL_VERSION} made no prediction for {shorten(pinned.symbol)} on "
                f"{pinned.as_of.date()}, so that this explainer cannot recompute this one."
            )
        report(0.1, "recomputing the prediction")
        past = market.known_at(position)
        if not agrees(pinned, past.prediction):
            raise NotRecomputable(
                f"Recomputed for {past.prediction.as_of}, the model {MODEL_VERSION} predicts "
                f"{past.prediction.predicted_price:.10g} from {past.prediction.current_price:.10g}, which is "
                "not this prediction, so that what this explainer knows of the model is not applied to it."
            )
        return past

    def _find_market(self, pinned: PinnedPrediction) -> Market:
        if pinned.model_version != MODEL_VERSION:
            raise NotRecomputable(
                f"This explainer knows the inside of the model {MODEL_VERSION} alone, and no attribution for "
                f"{pinned.model_version}."
            )
        try:
            self.prepare()
        except BarsUnavailable as error:
            logger.warning("predictions are explained without the model: %s", error)
            raise NotRecomputable(
                "The data of the model are not installed where this explainer runs, so that the prediction "
                "cannot be recomputed."
            ) from error
        market = (self._markets or {}).get(pinned.symbol)
        if market is None:
            raise NotRecomputable(
                f"The data set of the model {MODEL_VERSION} has no symbol {shorten(pinned.symbol)}, so that "
                "this explainer knows no attribution for this prediction."
            )
        return market


def agrees(pinned: PinnedPrediction, prediction: Prediction) -> bool:
    """Whether both prices and the move are those recomputed."""
    pairs = (
        (pinned.current_price, prediction.current_price),
        (pinned.predicted_price, prediction.predicted_price),
    )
    if any(abs(given - own) > TOLERANCE * own for given, own in pairs):
        return False
    # Two prices off in opposite directions make a move that the contributions would not sum to.
    return abs(predicted_move(pinned) - prediction.predicted_log_return) <= TOLERANCE
