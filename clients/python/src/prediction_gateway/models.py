"""What the calls return: frozen values with the field names of the API. Fields that the API adds are ignored.

Prices are in the symbol's currency, times are aware datetimes in UTC.
"""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all answers."""


class Outcome(Model, frozen=True):
    """What came of a prediction: the actual price at `as_of`, and predicted minus actual price."""

    actual_price: float
    as_of: datetime
    error: float


class Prediction(Model, frozen=True):
    """A prediction as the gateway tells it.

    `timestamp` is when it was made, `as_of` the market time of its newest input, `confidence` 0 to 1, `seq`
    its place in the stream (None where that is not known). `age_seconds` counts from `timestamp` to the
    moment of the answer, or to the `as_of` that was asked for. `features` and `outcome` are None unless
    asked for, and `outcome` as long as it is not known.
    """

    symbol: str
    predicted_price: float
    current_price: float
    confidence: float
    horizon: str
    model_version: str
    timestamp: datetime
    as_of: datetime
    seq: int | None
    age_seconds: float
    stale: bool
    features: dict[str, float | int | str | bool | None] | None = None
    outcome: Outcome | None = None

    @property
    def move_pct(self) -> float:
        """The predicted move in per cent of the current price; NaN where that is zero."""
        return move_pct(self.predicted_price, self.current_price)


def move_pct(predicted_price: float, current_price: float) -> float:
    """The move between two prices in per cent; NaN where the current one is zero."""
    return (predicted_price / current_price - 1) * 100 if current_price else math.nan


class Predictions(Model, frozen=True):
    """Newest predictions by symbol, and the symbols that have none."""

    predictions: dict[str, Prediction]
    missing: list[str]


class Page(Model, Generic[T], frozen=True):
    """One page of several; `next` is what asks for the page after it, None on the last one."""

    data: list[T]
    has_more: bool
    next: str | None


class Measures(Model, frozen=True):
    """How good predictions were, over the `count` whose outcome is known; None is what cannot be known.

    `mae` is in the symbol's currency, `mape` a share (0.01 is one per cent). `naive_*` says that the price
    stays as it was, and a `*_vs_naive` below 1 is better than that. `hit_rate` is the share whose direction
    came true, `coverage` the share of those due that have an outcome.
    """

    count: int
    first: datetime | None
    last: datetime | None
    mae: float | None
    naive_mae: float | None
    mae_vs_naive: float | None
    mape: float | None
    naive_mape: float | None
    mape_vs_naive: float | None
    hit_rate: float | None
    coverage: float | None
    unreadable: int
    interval_count: int
    interval_coverage: float | None
    interval_level: float | None


class ModelAccuracy(Measures, frozen=True):
    """The measures of one model version."""

    model_version: str


class Accuracy(Model, frozen=True, rename={"start": "from", "end": "to"}):
    """The track record of a symbol in market time from `start` (None: from the first on) to `end`."""

    symbol: str
    start: datetime | None
    end: datetime
    total: Measures
    models: list[ModelAccuracy]


class Contribution(Model, frozen=True):
    """What one input adds to the predicted move: `value` in log return, so that contributions add up.

    `input` is the input's own value in its own unit, None for a constant.
    """

    name: str
    value: float
    text: str
    input: float | None = None


class Source(Model, frozen=True):
    """Where a number comes from: `kind` is ``data``, ``model``, ``prediction`` or ``evaluation``."""

    id: str
    kind: str
    title: str
    detail: str
    url: str | None = None


class Statement(Model, frozen=True):
    """A sentence, with the ids of the sources on which it rests."""

    text: str
    sources: list[str]


class SimilarDay(Model, frozen=True):
    """A past day like this one: distance in standard deviations, move as the log return that followed."""

    date: str
    distance: float
    move: float


class WhatIf(Model, frozen=True):
    """What an input would have to be for the prediction to turn around."""

    name: str
    input: float
    needed: float
    text: str


class Record(Model, frozen=True):
    """How the model has done so far."""

    predictions: int
    mape: float
    naive_mape: float
    hit_rate: float
    text: str


class ExplainedPrediction(Model, frozen=True):
    """The prediction that was explained, exactly as it was recorded."""

    symbol: str
    timestamp: datetime
    current_price: float
    predicted_price: float
    confidence: float
    horizon: str
    model_version: str
    as_of: datetime
    seq: int
    epoch: str
    features: dict[str, float | int | str | bool | None] | None = None


class Explanation(Model, frozen=True):
    """Why the model predicted what it did. Lists that the depth does not fill are empty.

    The `value` of all contributions together is ``ln(predicted_price / current_price)``.
    """

    symbol: str
    depth: str
    generated_at: datetime
    summary: str
    contributions: list[Contribution]
    sources: list[Source]
    statements: list[Statement]
    similar_days: list[SimilarDay]
    what_if: list[WhatIf]
    record: Record | None
    prediction: ExplainedPrediction
    job_id: str


class Job(Model, frozen=True):
    """How an explanation job stands.

    `status` is ``queued``, ``running``, ``done``, or, of an order that was repeated, ``failed`` or
    ``cancelled``. `progress` goes from 0 to 1, `stage` says what is being done, `estimated_seconds` what is
    probably left. `retry_after` is in how many seconds to ask again. `explanation` is there when the job is
    done and was asked for.
    """

    job_id: str
    status: str
    depth: str
    progress: float = 0.0
    stage: str = ""
    estimated_seconds: float = 0.0
    retry_after: float | None = None
    explanation: Explanation | None = None


class Account(Model, frozen=True):
    """Who is charged for calls."""

    name: str
    created_at: datetime


class Caller(Model, frozen=True):
    """Who calls: a key (its public id), or a person with a role."""

    kind: str
    user: str | None = None
    role: str | None = None
    key: str | None = None
    expires_at: datetime | None = None


class Limit(Model, frozen=True):
    """A limit of the tier: `quota` calls in `window_s` seconds, with `burst` a token bucket.

    `remaining` are left, all again in `reset_s` seconds; None where that is not known."""

    name: str
    scope: str
    route: str | None
    quota: int
    window_s: int
    burst: int | None
    remaining: int | None
    reset_s: int | None


class SocketLimits(Model, frozen=True):
    """What WebSockets may: open at once (None: no limit), and frames a second of each."""

    most_connections: int | None
    frames_per_s: int


class Usage(Model, frozen=True):
    """Calls of one route on one day."""

    day: date
    route: str
    calls: int
    errors: int
    throttled: int
    latency_avg_ms: float
    latency_max_ms: float
    bytes_out: int


class Profile(Model, frozen=True):
    """Who you are, what you may, what is left of it, and the usage of the last `days` days."""

    account: Account
    caller: Caller
    tier: str
    scopes: list[str]
    limits: list[Limit]
    sockets: SocketLimits
    days: int
    usage: list[Usage]


class Version(Model, frozen=True):
    """What runs there."""

    name: str
    version: str
    commit: str
