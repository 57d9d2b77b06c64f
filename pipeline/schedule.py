"""The order and the pace of the replay, and each prediction as the event that is published. Pure.

Knows days, deadlines and payloads; `pipeline.replay` adds the clock and the connection.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from events.prediction_updated import FeatureValue, PredictionUpdated
from pipeline.model import HORIZON, INTERVAL_LEVEL, MODEL_VERSION, Prediction, WalkForward

logger = logging.getLogger(__name__)

CONTRIBUTION_PREFIX = "contribution_"

_MOST_DEBT_S = 1.0
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Day:
    """One trading day: where its predictions stand, symbols in alphabetical order."""

    date: date
    places: tuple[tuple[WalkForward, int], ...]

    def predictions(self) -> list[Prediction]:
        """The day's predictions, one per symbol that had one."""
        return [walk.prediction(position) for walk, position in self.places]


def order_days(walks: Iterable[WalkForward]) -> list[Day]:
    """All days with a prediction, oldest first."""
    places: dict[date, list[tuple[WalkForward, int]]] = defaultdict(list)
    for walk in sorted(walks, key=lambda walk: walk.series.symbol):
        for position, day in enumerate(walk.dates.tolist()):
            places[day].append((walk, position))
    return [Day(day, tuple(places[day])) for day in sorted(places)]


def flow(days: Sequence[Day], *, start: date | None = None, loop: bool = False) -> Iterator[Day]:
    """`days` from the first on or after `start`; with `loop` again and again from there."""
    first = 0 if start is None else bisect_left(days, start, key=lambda day: day.date)
    wanted = days[first:]
    yield from wanted
    while loop and wanted:
        logger.info("the replay begins again at %s", wanted[0].date)
        yield from wanted


def event_of(prediction: Prediction, timestamp: datetime) -> PredictionUpdated:
    """`prediction` as published at `timestamp`.

    Its features are the model's inputs, the predicted log return with the parts that sum to it, the
    interval, and the window of the fit.
    """
    fit = prediction.fit
    low, high = prediction.interval
    features: dict[str, FeatureValue] = {
        **prediction.inputs,
        "predicted_log_return": prediction.predicted_log_return,
        **{CONTRIBUTION_PREFIX + name: part for name, part in prediction.contributions.items()},
        "residual_sd": prediction.residual_sd,
        "interval_low": low,
        "interval_high": high,
        "interval_level": INTERVAL_LEVEL,
        "training_rows": fit.rows,
        "training_first": fit.first_date.isoformat(),
        "training_last": fit.last_date.isoformat(),
    }
    return PredictionUpdated(
        symbol=prediction.symbol,
        timestamp=timestamp,
        current_price=prediction.current_price,
        predicted_price=prediction.predicted_price,
        confidence=prediction.confidence,
        horizon=HORIZON,
        model_version=MODEL_VERSION,
        as_of=prediction.as_of.isoformat(),
        features=features,
    )


def stamp_after(last: datetime | None, now: datetime) -> datetime:
    """`now`, or one microsecond after `last` where the wall clock stood still or was set back."""
    return now if last is None or now > last else last + _TICK


class Pacer:
    """Deadlines at a fixed rate that do not drift: a late day shortens the wait for the next ones.

    Whoever is more than a second behind, as after an outage, starts anew and does not rush.
    """

    def __init__(self, days_per_second: float, *, now_s: float) -> None:
        self._interval_s = 1.0 / days_per_second
        self._due_s = now_s

    def wait_s(self, now_s: float) -> float:
        """Seconds until the next day is due, 0 where it is late; the first is due at once."""
        if now_s - self._due_s > _MOST_DEBT_S:
            self._due_s = now_s
        wait_s = max(0.0, self._due_s - now_s)
        self._due_s += self._interval_s
        return wait_s
