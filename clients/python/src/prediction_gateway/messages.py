"""What a stream gives: typed messages, frozen, with the field names of the protocol."""

from __future__ import annotations

from datetime import datetime

import msgspec

from prediction_gateway.models import (
    Contribution,
    ExplainedPrediction,
    Record,
    SimilarDay,
    Source,
    Statement,
    WhatIf,
    move_pct,
)


class Frame(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """The base of all messages; as JSON each has its `type`, as in the protocol."""


class Connected(Frame, frozen=True, kw_only=True, tag="connected"):
    """The stream is up, for the first time or again (`resumed`): what was missed comes next."""

    connection_id: str
    resumed: bool


class Disconnected(Frame, frozen=True, kw_only=True, tag="disconnected"):
    """The stream is down, and comes back by itself in `retry_in_s` seconds.

    `code` is the close code (1006: it broke without a word, None: no connection came about), `reason` the
    gateway's error code or what the connection broke of.
    """

    code: int | None
    reason: str
    retry_in_s: float


class Notice(Frame, frozen=True, kw_only=True, tag="notice"):
    """Something to know; the stream goes on.

    `code` is a warning or error of the protocol: ``UPDATES_DROPPED`` (`dropped` updates were left out,
    since they came faster than they went), ``CREDENTIAL_EXPIRES`` (at `expires_at`), ``INVALID_SYMBOL`` and
    ``TOO_MANY_SYMBOLS`` (`symbol` is not in the stream), ``SNAPSHOT_UNAVAILABLE`` and so on.
    """

    code: str
    detail: str = ""
    symbol: str | None = None
    dropped: int | None = None
    expires_at: datetime | None = None


class Update(Frame, frozen=True, kw_only=True, tag="prediction_update"):
    """A prediction, live or missed; with `snapshot` the newest at the moment of subscribing.

    `seq` rises by symbol within one `epoch`. With ``timing`` there are three times more: when the pipeline's
    message was stored (`published_at`), passed on (`bridged_at`), and written to this connection (`sent_at`).
    """

    symbol: str
    predicted_price: float
    current_price: float
    confidence: float
    horizon: str
    model_version: str
    timestamp: datetime
    as_of: datetime
    seq: int
    epoch: str
    snapshot: bool = False
    published_at: datetime | None = None
    bridged_at: datetime | None = None
    sent_at: datetime | None = None

    @property
    def move_pct(self) -> float:
        """The predicted move in per cent of the current price; NaN where that is zero."""
        return move_pct(self.predicted_price, self.current_price)

    @property
    def gateway_lag_s(self) -> float | None:
        """Seconds that the gateway took, by its own clocks; None without ``timing``."""
        if self.sent_at is None or self.published_at is None:
            return None
        return (self.sent_at - self.published_at).total_seconds()


class Gap(Frame, frozen=True, kw_only=True, tag="gap", rename={"from_seq": "from", "to_seq": "to"}):
    """Updates of `symbol` between two numbers, both excluded, may be missing; the history has them.

    `epoch` is that of `to_seq`.
    """

    symbol: str
    from_seq: int
    to_seq: int
    epoch: str


class ExplanationProgress(Frame, frozen=True, kw_only=True, tag="explanation_progress"):
    """An explanation of a symbol is under way: `progress` from 0 to 1."""

    symbol: str
    depth: str
    status: str
    progress: float
    stage: str


class ExplanationBody(msgspec.Struct, frozen=True, kw_only=True):
    """What an explanation says; the fields are those of `Explanation`."""

    summary: str
    contributions: list[Contribution] = []
    sources: list[Source] = []
    statements: list[Statement] = []
    similar_days: list[SimilarDay] = []
    what_if: list[WhatIf] = []
    record: Record | None = None


class ExplanationCompleted(Frame, frozen=True, kw_only=True, tag="explanation_completed"):
    """An explanation of a symbol is done."""

    symbol: str
    depth: str
    generated_at: datetime
    explanation: ExplanationBody
    prediction: ExplainedPrediction


Message = Connected | Disconnected | Update | Gap | Notice | ExplanationProgress | ExplanationCompleted
