"""The frames between a worker and the process that explains for it: bytes in, typed values out. Pure.

A frame is its body's length (4 bytes), its kind (1), the turn it belongs to (4), big-endian, then the
body. A turn is one order: what belongs to an earlier one is late, and ignored. Neither side reads a body
that is too long.
"""

from __future__ import annotations

import enum
import struct
from typing import Annotated, NamedTuple, TypeVar

import msgspec

from events.explanations import MAX_EVENT_BYTES, Line
from events.prediction_updated import Share

MAX_BODY_BYTES = MAX_EVENT_BYTES
MAX_LINE = 500
MAX_TRACE = 16_384
_HEAD = struct.Struct(">IBI")
HEAD_BYTES = _HEAD.size


class Kind(enum.IntEnum):
    """What a frame says; the body is JSON, or empty."""

    ORDER = 1
    """To the child: an `ExplainOrder`."""
    READY = 2
    """From the child: it takes an order now. Empty; the turn is the one that ended, 0 at the start."""
    PROGRESS = 3
    """From the child: a `Report`."""
    EXPLANATION = 4
    """From the child, ending the turn: an `Explanation` by its own account."""
    FAILURE = 5
    """From the child, ending the turn: a `Failure`."""


class FrameRefused(Exception):
    """The bytes are no frame, or one that is too long; the text says why."""


class Head(NamedTuple):
    """What comes before a body of `size` bytes."""

    size: int
    kind: Kind
    turn: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """How far the explainer is."""

    progress: Share
    stage: Line


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no explanation: a line for the caller, a trace for the log."""

    reason: Line
    trace: Annotated[str, msgspec.Meta(max_length=MAX_TRACE)] = ""


B = TypeVar("B", Report, Failure)


def encode(kind: Kind, turn: int, body: bytes = b"") -> bytes:
    """The frame as it is sent; raises `FrameRefused` where `body` is too long."""
    if len(body) > MAX_BODY_BYTES:
        raise FrameRefused(f"a body of {len(body)} bytes; at most {MAX_BODY_BYTES}")
    return _HEAD.pack(len(body), kind, turn) + body


def decode_head(data: bytes) -> Head:
    """Read the first `HEAD_BYTES` of a frame; raises `FrameRefused`."""
    size, kind, turn = _HEAD.unpack(data)
    if size > MAX_BODY_BYTES:
        raise FrameRefused(f"a body of {size} bytes; at most {MAX_BODY_BYTES}")
    try:
        return Head(size, Kind(kind), turn)
    except ValueError:
        raise FrameRefused(f"there is no kind {kind}") from None


def decode_body(body: bytes, kind: type[B]) -> B:
    """Read the body of a report or a failure; raises `FrameRefused`."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FrameRefused(str(error)) from None


def make_report(progress: float, stage: str) -> bytes:
    """The body of a report, whatever was reported: the share is clamped, the stage made a line."""
    share = 1.0 if progress > 1 else float(progress) if progress >= 0 else 0.0
    return msgspec.json.encode(Report(progress=share, stage=as_line(stage)))


def make_failure(reason: str, trace: str = "") -> bytes:
    """The body of a failure. Of a long trace the end is kept, which names the error."""
    trace = trace.encode("utf-8", "backslashreplace").decode()[-MAX_TRACE:]
    return msgspec.json.encode(Failure(reason=as_line(reason), trace=trace))


def as_line(text: str) -> str:
    """`text` on one line of printable characters, at most `MAX_LINE` of them and at least one."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * MAX_LINE])
    return " ".join(printable.split())[:MAX_LINE] or "-"
