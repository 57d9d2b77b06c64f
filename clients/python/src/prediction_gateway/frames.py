"""The frames of the WebSocket to typed values. Pure; types that this client does not know are ignored."""

from __future__ import annotations

from datetime import datetime
from typing import get_args

import msgspec

from prediction_gateway.messages import ExplanationCompleted, ExplanationProgress, Frame, Gap, Update


class Welcome(Frame, frozen=True, kw_only=True, tag="welcome"):
    """The credential is good."""

    connection_id: str


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol that was not subscribed."""

    symbol: str
    error: str


class Subscribed(Frame, frozen=True, kw_only=True, tag="subscribed"):
    """The answer to a subscription."""

    symbols: list[str]
    rejected: list[Rejection]


class Warned(Frame, frozen=True, kw_only=True, tag="warning"):
    """Something to know."""

    code: str
    dropped: int | None = None
    expires_at: datetime | None = None


class Failed(Frame, frozen=True, kw_only=True, tag="error"):
    """A request was wrong, or the connection is closed next."""

    code: str
    detail: str


class Batch(Frame, frozen=True, kw_only=True, tag="batch"):
    """Several updates."""

    updates: list[Update]


Known = (
    Welcome | Subscribed | Warned | Failed | Gap | Update | Batch | ExplanationProgress | ExplanationCompleted
)

_decoder: msgspec.json.Decoder[Known] = msgspec.json.Decoder(Known)
_KNOWN_TYPES = frozenset(kind.__struct_config__.tag for kind in get_args(Known))


class _Kind(msgspec.Struct, frozen=True):
    type: str


def decode_frame(data: str | bytes) -> Known | None:
    """The value of a frame; None if its type is not known here. Raises one of `answers.UNREADABLE`."""
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError:
        if msgspec.json.decode(data, type=_Kind).type in _KNOWN_TYPES:
            raise
        return None
