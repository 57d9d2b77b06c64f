"""The payloads about explanations: the order on ``job.explain.generate`` and the events that come back. Pure.

Bytes in, a typed message or one clear reason out. Whoever explains (the reference explainer in `pipeline`, or
another team's) needs this module alone: `ExplainOrder` is what it gets, `Explanation` what it gives.
"""

from __future__ import annotations

import math
import uuid
from typing import Annotated, Literal, TypeVar

import msgspec

from events.kinds import Count, Moment, NotNegative
from events.prediction_updated import Features, Label, PayloadRefused, Price, Share

MAX_EXPLANATION_BYTES = 256 * 1024
MAX_EVENT_BYTES = MAX_EXPLANATION_BYTES + 4096

Depth = Literal["fast", "medium", "deep"]
DEPTHS: tuple[Depth, ...] = ("fast", "medium", "deep")

# Whatever Postgres stores as text must be free of NUL.
Text = Annotated[str, msgspec.Meta(max_length=4096, pattern=r"^[^\x00]*\Z")]
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"^[^\x00]*\Z")]
Epoch = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[^\x00]*\Z")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[^\x00]*\Z")]


class PinnedPrediction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The prediction to explain, exactly as it was recorded. Times aware and in UTC."""

    symbol: Name
    timestamp: Moment
    current_price: Price
    predicted_price: Price
    confidence: Share
    horizon: Label
    model_version: Label
    as_of: Moment
    seq: Count
    epoch: Epoch
    features: Features | None = None

    @property
    def move(self) -> float:
        """The predicted move in log return; a difference of logs, since a quotient could overflow."""
        return math.log(self.predicted_price) - math.log(self.current_price)


class ExplainOrder(msgspec.Struct, frozen=True, kw_only=True):
    """``job.explain.generate``: explain `prediction`. `job_id` names the computation in every event."""

    job_id: uuid.UUID
    depth: Depth
    prediction: PinnedPrediction
    ordered_at: Moment


class Contribution(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one input adds to the predicted move.

    `value` is in log return: all contributions sum to ``ln(predicted_price / current_price)``. `input` is the
    input's value in its own unit, None for a constant; `text` says it in words.
    """

    name: Name
    value: float
    text: Line
    input: float | None = None


class Source(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a statement comes from: a data set with symbol, dates, values, or a model with its training."""

    id: Name
    kind: Literal["data", "model", "prediction", "evaluation"]
    title: Line
    detail: Text
    url: Line | None = None


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence, with the ids of the sources that it rests on."""

    text: Text
    sources: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=20)]


class SimilarDay(msgspec.Struct, frozen=True, kw_only=True):
    """A past day like this one: `distance` in standard deviations, `move` the log return that followed."""

    date: Name
    distance: float
    move: float


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """What an input would have to be, all else equal, for the prediction to turn around."""

    name: Name
    input: float
    needed: float
    text: Line


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """How the model did on this symbol, walk-forward: mean absolute percentage errors, right directions."""

    predictions: Count
    mape: float
    naive_mape: float
    hit_rate: float
    text: Line


Summary = Annotated[Text, msgspec.Meta(min_length=1)]
Contributions = Annotated[list[Contribution], msgspec.Meta(min_length=1, max_length=200)]
Sources = Annotated[list[Source], msgspec.Meta(min_length=1, max_length=100)]
Statements = Annotated[list[Statement], msgspec.Meta(max_length=200)]
SimilarDays = Annotated[list[SimilarDay], msgspec.Meta(max_length=100)]
WhatIfs = Annotated[list[WhatIf], msgspec.Meta(max_length=100)]


class Explanation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why the model said so, in plain English; the lists that `depth` does not ask for are empty."""

    depth: Depth
    summary: Summary
    contributions: Contributions
    sources: Sources
    statements: Statements = []
    similar_days: SimilarDays = []
    what_if: WhatIfs = []
    record: Record | None = None


class ExplanationProgress(msgspec.Struct, frozen=True, kw_only=True):
    """``event.explanation.progress``: share done (0 to 1) and what is being done."""

    job_id: uuid.UUID
    attempt: Annotated[int, msgspec.Meta(ge=1)]
    progress: Share
    stage: Line
    at: Moment


class ExplanationCompleted(msgspec.Struct, frozen=True, kw_only=True):
    """``event.explanation.completed``."""

    job_id: uuid.UUID
    attempt: Annotated[int, msgspec.Meta(ge=1)]
    explanation: Explanation
    generated_at: Moment
    took_s: NotNegative


class ExplanationFailed(msgspec.Struct, frozen=True, kw_only=True):
    """``event.explanation.failed``: for good; `reason` is for the caller and holds no trace."""

    job_id: uuid.UUID
    attempt: Annotated[int, msgspec.Meta(ge=1)]
    reason: Line
    at: Moment


Message = ExplainOrder | ExplanationProgress | ExplanationCompleted | ExplanationFailed
M = TypeVar("M", bound=Message)

_encoder = msgspec.json.Encoder()


def encode(message: Message | Explanation) -> bytes:
    """The payload as published."""
    return _encoder.encode(message)


def decode(payload: bytes, kind: type[M]) -> M:
    """Validate `payload` as `kind`; raises `PayloadRefused` with the reason."""
    if len(payload) > MAX_EVENT_BYTES:
        raise PayloadRefused(f"payload of {len(payload)} bytes; at most {MAX_EVENT_BYTES}")
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise PayloadRefused(str(error)) from None


def check_explanation(explanation: Explanation, *, depth: Depth, move: float) -> None:
    """Raise `PayloadRefused` unless it is of `depth`, cites its own sources, and sums to the log return."""
    if explanation.depth != depth:
        raise PayloadRefused(f"the explanation is {explanation.depth}, {depth} was ordered")
    known = {source.id for source in explanation.sources}
    for statement in explanation.statements:
        missing = sorted(set(statement.sources) - known)
        if missing:
            raise PayloadRefused(f"a statement cites {', '.join(missing)[:200]}, which is no source of it")
    total = sum(one.value for one in explanation.contributions)
    if not abs(total - move) <= 1e-9 + 1e-6 * abs(move):
        raise PayloadRefused(f"the contributions sum to {total:.9g}, the predicted move is {move:.9g}")
