"""How good predictions were, from sums over those whose outcome is known. Pure.

Errors are in the symbol's currency, relative ones shares of the actual price. The naive forecast is that the
price stays as it was at the prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from events.kinds import Count, Moment, NotNegative
from events.prediction_updated import Label, Share
from predictions import horizons
from predictions.answers import Symbol

SHORTEST_WINDOW = timedelta(days=1)
LONGEST_WINDOW = horizons.LONGEST
DEFAULT_WINDOW = timedelta(days=90)
ALL = "all"


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over predictions. `passed` counts those whose horizon has passed, settled or not."""

    model_version: str
    unreadable: int
    passed: int
    settled: int
    first: datetime | None
    last: datetime | None
    error: float
    relative_error: float
    naive_error: float
    naive_relative_error: float
    hits: int
    with_interval: int
    within_interval: int
    interval_levels: float


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """What the API says of a set of predictions; null is what cannot be known, mostly for want of outcomes.

    `count` is how many outcomes are known, `first` and `last` their oldest and newest market time. A ratio
    `*_vs_naive` below 1 is better than naive. `hit_rate` is the share of predictions whose direction came
    true: where the price did not move, or no move was predicted, there is no hit. `coverage` is the share of
    predictions whose horizon has passed that have an outcome. `unreadable` counts predictions that can have
    none, for their horizon is no length of time. `interval_coverage` is the share of outcomes within the
    predicted interval, of the `interval_count` that had one, and should be `interval_level`.
    """

    count: Count
    first: Moment | None
    last: Moment | None
    mae: NotNegative | None
    naive_mae: NotNegative | None
    mae_vs_naive: NotNegative | None
    mape: NotNegative | None
    naive_mape: NotNegative | None
    mape_vs_naive: NotNegative | None
    hit_rate: Share | None
    coverage: Share | None
    unreadable: Count
    interval_count: Count
    interval_coverage: Share | None
    interval_level: Share | None


class ModelAccuracy(Measures, frozen=True, kw_only=True):
    """The measures of one model version."""

    model_version: Label


class AccuracyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The track record of a symbol. `from` and `to` bound the market time; from null is the beginning."""

    symbol: Symbol
    from_: Moment | None = msgspec.field(name="from")
    to: Moment
    total: Measures
    models: Annotated[list[ModelAccuracy], msgspec.Meta(max_length=10_000)]


def first_moment(newest_as_of: datetime, window: timedelta | None) -> datetime | None:
    """Midnight UTC of the day in which `window` before the newest market time begins; None for all time."""
    if window is None:
        return None
    try:
        return (newest_as_of - window).replace(hour=0, minute=0, second=0, microsecond=0)
    except OverflowError:
        return None


def measure_model(sums: Sums) -> ModelAccuracy:
    """The measures of one model version."""
    return ModelAccuracy(model_version=sums.model_version, **msgspec.structs.asdict(measure([sums])))


def measure(parts: Sequence[Sums]) -> Measures:
    """The measures of all of `parts` together, of which there may be none."""
    count = sum(part.settled for part in parts)
    mae = _share(sum(part.error for part in parts), count)
    mape = _share(sum(part.relative_error for part in parts), count)
    naive_mae = _share(sum(part.naive_error for part in parts), count)
    naive_mape = _share(sum(part.naive_relative_error for part in parts), count)
    with_interval = sum(part.with_interval for part in parts)
    level = _share(sum(part.interval_levels for part in parts), with_interval)
    return Measures(
        count=count,
        first=min((part.first for part in parts if part.first is not None), default=None),
        last=max((part.last for part in parts if part.last is not None), default=None),
        mae=mae,
        naive_mae=naive_mae,
        mae_vs_naive=_ratio(mae, naive_mae),
        mape=mape,
        naive_mape=naive_mape,
        mape_vs_naive=_ratio(mape, naive_mape),
        hit_rate=_share(sum(part.hits for part in parts), count),
        coverage=_share(count, sum(part.passed for part in parts)),
        unreadable=sum(part.unreadable for part in parts),
        interval_count=with_interval,
        interval_coverage=_share(sum(part.within_interval for part in parts), with_interval),
        # A million times 0.8 is a little less.
        interval_level=None if level is None else round(level, 9),
    )


def _share(sum_: float, count: int) -> float | None:
    return sum_ / count if count else None


def _ratio(error: float | None, naive: float | None) -> float | None:
    """None also where the naive forecast was never wrong: nothing can be measured against that."""
    return error / naive if error is not None and naive else None
