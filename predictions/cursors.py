"""The opaque cursor of the history: the place after which the next page begins. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from predictions.documents import epoch_micros, moment_at

_FORM = re.compile(r"(-?[0-9a-f]{1,16})\.([0-9a-f]{1,16})")
_LARGEST_SEQ = 2**63 - 1


class MalformedCursor(ValueError):
    """The text is no cursor that this gateway gave out."""


def encode(timestamp: datetime, seq: int) -> str:
    """The cursor after the prediction with `timestamp` and `seq`."""
    return f"{epoch_micros(timestamp):x}.{seq:x}"


def decode(text: str) -> tuple[datetime, int]:
    """Back to ``(timestamp, seq)``; raises `MalformedCursor`."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise MalformedCursor("not a cursor of this gateway: pass the `next` of an earlier answer")
    try:
        timestamp = moment_at(int(match[1], 16))
    except OverflowError:
        raise MalformedCursor("not a cursor of this gateway: its time is out of range") from None
    seq = int(match[2], 16)
    if seq > _LARGEST_SEQ:
        raise MalformedCursor("not a cursor of this gateway: its sequence is out of range")
    return timestamp, seq
