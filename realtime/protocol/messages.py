"""What a client gets: typed messages, and the bytes of updates that are encoded once for everybody. Pure.

A prediction crosses the gateway as one JSON object (`predictions.documents`), which is never decoded on its
way to the sockets: type, snapshot mark and times are spliced into its bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from events.kinds import Moment
from realtime.protocol import limits
from realtime.protocol.codes import Code, Rejected, Warned

_UPDATE = b'{"type":"prediction_update",'
_SNAPSHOT = b'{"type":"prediction_update","snapshot":true,'
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Limits(msgspec.Struct, frozen=True):
    """What this connection may do. `connections` is the account's, null where its tier sets no limit."""

    frames_per_s: int
    connections: int | None
    symbols: int = limits.MAX_SYMBOLS
    watches: int = limits.MAX_WATCHES
    message_bytes: int = limits.MAX_MESSAGE_BYTES
    frames_in_per_s: int = limits.FRAMES_IN_PER_S
    buffered_updates: int = limits.MAX_OUTBOX
    resumed_updates: int = limits.MAX_RESUMED
    idle_s: int = int(limits.IDLE_S)


class _Message(msgspec.Struct, tag_field="type", frozen=True, omit_defaults=True):
    """What every message has."""


class Welcome(_Message, tag="welcome", frozen=True):
    """The first message of an accepted connection; with the id of the auth frame, if there was one."""

    connection_id: str
    protocol: int
    limits: Limits
    heartbeat_s: int
    id: str | None = None


class Authenticated(_Message, tag="authenticated", frozen=True):
    """Answer to an `auth` that renews: the connection lives until `expires_at`; null: without an end."""

    expires_at: Moment | None
    id: str | None = None


class Rejection(msgspec.Struct, frozen=True):
    """A symbol that was not subscribed, shortened to 32 characters, and why."""

    symbol: str
    error: Rejected


class Subscribed(_Message, tag="subscribed", frozen=True):
    """Answer to subscribe: what of it this connection is subscribed to now, and what not."""

    symbols: Sequence[str]
    rejected: Sequence[Rejection]
    id: str | None = None


class Unsubscribed(_Message, tag="unsubscribed", frozen=True):
    """Answer to unsubscribe: what will not be sent any more."""

    symbols: Sequence[str]
    id: str | None = None


class Pong(_Message, tag="pong", frozen=True):
    """Answer to ping."""

    id: str | None = None


class Error(_Message, tag="error", frozen=True):
    """Something was wrong; `code` is stable, `detail` is for people."""

    code: Code
    detail: str
    id: str | None = None


class Warning(_Message, tag="warning", frozen=True):  # noqa: A001 - the protocol's word
    """Something to know. `dropped`: updates that were left out because they came faster than they went.

    `expires_at`: when the credential ends, unless an `auth` renews it before.
    """

    code: Warned
    dropped: int | None = None
    expires_at: Moment | None = None


class Gap(_Message, tag="gap", rename={"from_": "from"}, frozen=True):
    """Updates of `symbol` with a `seq` between `from` and `to`, both excluded, were not sent.

    `epoch` is that of `to`; where the stream was made anew, `from` belongs to an earlier one.
    """

    symbol: str
    from_: int
    to: int
    epoch: str


class PredictionUpdate(_Message, tag="prediction_update", frozen=True):
    """A prediction: live, or with `snapshot` the newest at the time of the subscription.

    `seq` rises per symbol within one `epoch`. With `timing`: when the pipeline's message was stored
    (`published_at`), when the bridge passed it on (`bridged_at`), when this process wrote it (`sent_at`).
    """

    symbol: str
    predicted_price: float
    current_price: float
    confidence: float
    horizon: str
    model_version: str
    timestamp: Moment
    as_of: Moment
    seq: int
    epoch: str
    snapshot: bool = False
    published_at: Moment | None = None
    bridged_at: Moment | None = None
    sent_at: Moment | None = None


class Batch(_Message, tag="batch", frozen=True):
    """Several updates, those of a symbol in the order of their `seq`; each is what it would be alone."""

    updates: list[PredictionUpdate]


class ExplanationProgress(_Message, tag="explanation_progress", frozen=True):
    """How far an explanation is; `job_id` where the connection watches its own job.

    `id` in the first answer to `watch`, whichever of the three that is.
    """

    symbol: str
    depth: str
    status: str
    progress: float
    stage: str
    job_id: str | None = None
    id: str | None = None


class ExplanationCompleted(_Message, tag="explanation_completed", frozen=True):
    """An explanation."""

    symbol: str
    depth: str
    generated_at: Moment
    explanation: dict[str, Any]
    prediction: dict[str, Any]
    job_id: str | None = None
    id: str | None = None


class ExplanationFailed(_Message, tag="explanation_failed", frozen=True):
    """There will be no explanation for this job."""

    symbol: str
    depth: str
    reason: str
    job_id: str | None = None
    id: str | None = None


Message = (
    Welcome
    | Authenticated
    | Subscribed
    | Unsubscribed
    | Pong
    | Error
    | Warning
    | Gap
    | PredictionUpdate
    | Batch
    | ExplanationProgress
    | ExplanationCompleted
    | ExplanationFailed
)

encode = msgspec.json.Encoder().encode


def welcome(connection_id: str, *, frames_per_s: int, connections: int | None, id_: str | None) -> Welcome:
    """The welcome of this server."""
    return Welcome(connection_id, limits.VERSION, Limits(frames_per_s, connections), limits.HEARTBEAT_S, id_)


def update(document: bytes) -> bytes:
    """The frame of a JSON object of `predictions.documents`."""
    return _UPDATE + document[1:]


def document_of(frame: bytes) -> bytes:
    """The JSON object in a frame of `update`."""
    return b"{" + frame[len(_UPDATE) :]


def as_snapshot(frame: bytes) -> bytes:
    """The frame of `update`, marked as a snapshot."""
    return _SNAPSHOT + frame[len(_UPDATE) :]


def with_times(frame: bytes, *, published_us: int | None, bridged_us: int | None, sent_us: int) -> bytes:
    """The frame of `update` with its times, in microseconds since 1970; None is left out."""
    times = (("published_at", published_us), ("bridged_at", bridged_us), ("sent_at", sent_us))
    told = "".join(f',"{name}":"{_moment(us)}"' for name, us in times if us is not None)
    return frame[:-1] + told.encode() + b"}"


def batch(frames: Sequence[bytes]) -> bytes:
    """The frame that holds the frames of several updates."""
    return b'{"type":"batch","updates":[' + b",".join(frames) + b"]}"


def explanation(
    kind: Literal["explanation_progress", "explanation_completed", "explanation_failed"],
    body: bytes,
    job_id: str | None = None,
    id_: str | None = None,
) -> bytes:
    """The frame of a JSON object of `realtime.news`, which was encoded once for everyone."""
    given = (("type", kind), ("job_id", job_id), ("id", id_))
    own = encode({name: value for name, value in given if value is not None})
    return own[:-1] + b"," + body[1:]


def _moment(micros: int) -> str:
    moment = _EPOCH + timedelta(microseconds=micros)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
