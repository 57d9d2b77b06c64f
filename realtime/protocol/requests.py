"""What a client may send: bytes in, typed requests or one clear reason out. Pure.

Every request is a tagged union over ``action``; fields that it does not know are ignored.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection
from typing import Annotated, Literal, get_args

import msgspec

from events.kinds import Count
from predictions.symbols import MalformedSymbol, check_symbol
from realtime.protocol.codes import Code, Rejected
from realtime.protocol.limits import DEFAULT_INTERVAL_MS, MAX_MESSAGE_BYTES, MAX_SYMBOLS
from realtime.protocol.messages import Rejection

Id = Annotated[str, msgspec.Meta(max_length=64, description="yours; comes back in the answer")]
OfferedSymbols = Annotated[list[str], msgspec.Meta(min_length=1, max_length=1_000)]
Mode = Literal["all", "latest", "batch"]
Interval = Annotated[int, msgspec.Meta(ge=10, le=60_000)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Percent = Annotated[float, msgspec.Meta(ge=0, le=1_000)]


class Auth(msgspec.Struct, tag_field="action", tag="auth", frozen=True):
    """A credential: the first frame of a client that sent none, or one that renews what will expire.

    `api_key`, or `token` for an access token or a ticket.
    """

    api_key: str | None = None
    token: str | None = None
    id: Id | None = None

    def __post_init__(self) -> None:
        if (self.api_key is None) == (self.token is None):
            raise ValueError("auth needs either api_key or token")

    @property
    def credential(self) -> str:
        """Whichever of the two was sent."""
        return self.api_key or self.token or ""


class Since(msgspec.Struct, frozen=True):
    """What the client has seen: everything up to `seq`, or of the symbols in `seqs` up to those.

    All as they stood in the last updates, of one `epoch`.
    """

    epoch: Annotated[str, msgspec.Meta(max_length=32)]
    seq: Count
    seqs: Annotated[dict[str, Count], msgspec.Meta(max_length=1_000)] = msgspec.field(default_factory=dict)

    def of(self, symbol: str) -> int:
        """The seq up to which everything of `symbol` was seen."""
        return self.seqs.get(symbol, self.seq)


class Subscribe(msgspec.Struct, tag_field="action", tag="subscribe", frozen=True):
    """Ask for updates of `symbols`; a second subscribe of a symbol replaces the first.

    `mode`: every update (`all`), the newest of each symbol every `interval_ms` (`latest`), or every one,
    packed into one frame every `interval_ms` (`batch`). `since` asks for what was missed, and `snapshot`,
    without it, for the newest values. `min_confidence` and `min_move_pct` (how far the prediction is from
    the current price) leave out what is below. `timing` adds when an update was published, bridged and sent.
    `explanations` adds progress and results of explanations.
    """

    symbols: OfferedSymbols
    mode: Mode = "all"
    interval_ms: Interval = DEFAULT_INTERVAL_MS
    snapshot: bool = True
    since: Since | None = None
    min_confidence: Share = 0.0
    min_move_pct: Percent = 0.0
    timing: bool = False
    explanations: bool = False
    id: Id | None = None


class Unsubscribe(msgspec.Struct, tag_field="action", tag="unsubscribe", frozen=True):
    """No more updates of `symbols`."""

    symbols: OfferedSymbols
    id: Id | None = None


class Watch(msgspec.Struct, tag_field="action", tag="watch", frozen=True):
    """Ask to be told what becomes of an explanation job."""

    job_id: uuid.UUID
    id: Id | None = None


class Ping(msgspec.Struct, tag_field="action", tag="ping", frozen=True):
    """Asks for a pong."""

    id: Id | None = None


class _AnyRequest(msgspec.Struct, frozen=True):
    """What every request may have."""

    id: Id | None = None


Request = Auth | Subscribe | Unsubscribe | Watch | Ping


class BadFrame(Exception):
    """The frame is no request; `code` is the stable error code for the client."""

    def __init__(self, code: Code, detail: str, id_: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.id = id_


_WORDS: dict[str, list[str]] = {
    "action": [str(request.__struct_config__.tag) for request in get_args(Request)],
    "mode": list(get_args(Mode)),
}
_FIELD_AT_THE_END = re.compile(r"`(?:\$\.)?(\w+)`$")
_LONGEST_DETAIL = 200

_decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_id_decoder = msgspec.json.Decoder(_AnyRequest)


def decode(frame: str | bytes) -> Request:
    """Read a client's frame; raises `BadFrame`."""
    try:
        frame = frame.encode() if isinstance(frame, str) else frame
    except UnicodeEncodeError:
        raise BadFrame(Code.INVALID_JSON, "a message must be one JSON object") from None
    if len(frame) > MAX_MESSAGE_BYTES:
        raise BadFrame(Code.MESSAGE_TOO_BIG, f"a message may have {MAX_MESSAGE_BYTES} bytes at most")
    try:
        return _decoder.decode(frame)
    except msgspec.ValidationError as error:
        raise BadFrame(Code.INVALID_MESSAGE, _detail_of(error), _find_id(frame)) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BadFrame(Code.INVALID_JSON, "a message must be one JSON object") from None


def _detail_of(error: msgspec.ValidationError) -> str:
    """What is wrong, in which field, and the words that are right where there are only some."""
    said = str(error)
    if len(said) > _LONGEST_DETAIL:  # it quotes the client
        what, at, where = said.rpartition(" - at ")
        said = f"{what[: _LONGEST_DETAIL - len(at + where) - 1]}…{at}{where}"
    field = _FIELD_AT_THE_END.search(said)
    words = _WORDS.get(field[1], []) if field else []
    return f"{said}: one of {', '.join(words)}" if words else said


def _find_id(frame: bytes) -> str | None:
    """The id of a request that is wrong otherwise."""
    try:
        return _id_decoder.decode(frame).id
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def sort_symbols(
    offered: list[str], *, pattern: re.Pattern[str], already: Collection[str]
) -> tuple[list[str], list[Rejection]]:
    """Split what a client asks for into accepted symbols and rejections with their reason.

    Duplicates are folded; what is subscribed `already` costs no further place.
    """
    accepted: list[str] = []
    rejected: list[Rejection] = []
    held = len(already)
    for symbol in dict.fromkeys(offered):
        try:
            check_symbol(symbol, pattern)
        except MalformedSymbol:
            rejected.append(Rejection(symbol[:32], Rejected.INVALID_SYMBOL))
            continue
        if symbol not in already:
            if held >= MAX_SYMBOLS:
                rejected.append(Rejection(symbol, Rejected.TOO_MANY_SYMBOLS))
                continue
            held += 1
        accepted.append(symbol)
    return accepted, rejected
