"""The WebSocket protocol as values: frames in, typed messages out, and back. Pure.

What a client may send is a tagged union over ``action``; what it gets has a ``type``. Close codes and error
codes are listed here and nowhere else.
"""

from __future__ import annotations

import re
import uuid
from enum import IntEnum
from typing import Annotated, Any

import msgspec

from predictions.symbols import MalformedSymbol, check_symbol

VERSION = 1
HEARTBEAT_S = 15
AUTH_TIMEOUT_S = 5.0
MAX_MESSAGE_BYTES = 64 * 1024
MAX_SYMBOLS = 100
MAX_OUTBOX = 1_000

Id = Annotated[str, msgspec.Meta(max_length=64)]
OfferedSymbols = Annotated[list[str], msgspec.Meta(min_length=1, max_length=1_000)]


class Close(IntEnum):
    """Close codes, each with its meaning in docs/WEBSOCKET.md."""

    RESTART = 1012
    PROTOCOL_ERROR = 4400
    CREDENTIAL = 4401
    FORBIDDEN = 4403
    TIMEOUT = 4408
    TOO_BIG = 4413
    TOO_FAST = 4429


class Auth(msgspec.Struct, tag_field="action", tag="auth", frozen=True):
    """The first frame of a client that could not send a header: an API key, an access token or a ticket."""

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


class Subscribe(msgspec.Struct, tag_field="action", tag="subscribe", frozen=True):
    """Ask for updates of `symbols`: their newest values first (`snapshot`), also their explanations."""

    symbols: OfferedSymbols
    snapshot: bool = True
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

    def __init__(self, code: str, detail: str, id_: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.id = id_


_decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_id_decoder = msgspec.json.Decoder(_AnyRequest)
_encoder = msgspec.json.Encoder()


def decode(frame: str | bytes) -> Request:
    """Read a client's frame; raises `BadFrame`."""
    try:
        frame = frame.encode() if isinstance(frame, str) else frame
    except UnicodeEncodeError:
        raise BadFrame("INVALID_JSON", "a message must be one JSON object") from None
    if len(frame) > MAX_MESSAGE_BYTES:
        raise BadFrame("MESSAGE_TOO_BIG", f"a message may have {MAX_MESSAGE_BYTES} bytes at most")
    try:
        return _decoder.decode(frame)
    except msgspec.ValidationError as error:
        raise BadFrame("INVALID_MESSAGE", str(error)[:200], _find_id(frame)) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BadFrame("INVALID_JSON", "a message must be one JSON object") from None


def _find_id(frame: bytes) -> str | None:
    """The id of a request that is wrong otherwise."""
    try:
        return _id_decoder.decode(frame).id
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def welcome(connection_id: str, id_: str | None = None) -> str:
    """The first frame of an accepted connection; with the id of the auth frame, if there was one."""
    return _encode(
        {
            "type": "welcome",
            "connection_id": connection_id,
            "protocol": VERSION,
            "limits": {
                "symbols": MAX_SYMBOLS,
                "message_bytes": MAX_MESSAGE_BYTES,
                "buffered_updates": MAX_OUTBOX,
            },
            "heartbeat_s": HEARTBEAT_S,
            **_id(id_),
        }
    )


def subscribed(symbols: list[str], rejected: list[dict[str, str]], id_: str | None) -> str:
    """Answer to subscribe: everything this connection is now subscribed to of what was asked."""
    return _encode({"type": "subscribed", "symbols": symbols, "rejected": rejected, **_id(id_)})


def unsubscribed(symbols: list[str], id_: str | None) -> str:
    """Answer to unsubscribe: what will not be sent any more."""
    return _encode({"type": "unsubscribed", "symbols": symbols, **_id(id_)})


def pong(id_: str | None) -> str:
    """Answer to ping."""
    return _encode({"type": "pong", **_id(id_)})


def error(code: str, detail: str, id_: str | None = None) -> str:
    """Something was wrong; `code` is stable, `detail` is for people."""
    return _encode({"type": "error", "code": code, "detail": detail, **_id(id_)})


def dropped_warning(dropped: int) -> str:
    """Updates that did not fit into the buffer of a reader that is too slow."""
    return _encode({"type": "warning", "code": "UPDATES_DROPPED", "dropped": dropped})


def gap(symbol: str, last_seen: int, resumed_at: int) -> str:
    """Updates between the two sequence numbers, both excluded, were lost on the way."""
    return _encode({"type": "gap", "symbol": symbol, "from": last_seen, "to": resumed_at})


def prediction_update(document: bytes, *, snapshot: bool = False) -> str:
    """Frame a JSON object of `predictions.documents`, which was encoded once for everyone."""
    mark = '"snapshot":true,' if snapshot else ""
    return f'{{"type":"prediction_update",{mark}{document[1:].decode()}'


def explanation(kind: str, body: bytes, job_id: str | None = None) -> str:
    """Frame a JSON object of `realtime.news`, which was encoded once for everyone."""
    job = "" if job_id is None else f'"job_id":"{job_id}",'
    return f'{{"type":"{kind}",{job}{body[1:].decode()}'


def sort_symbols(
    offered: list[str], *, pattern: re.Pattern[str], already: set[str]
) -> tuple[list[str], list[dict[str, str]]]:
    """Split what a client asks for into accepted symbols and rejections with their reason.

    Duplicates are folded; what is subscribed already costs no further place.
    """
    accepted: list[str] = []
    rejected: list[dict[str, str]] = []
    held = len(already)
    for symbol in dict.fromkeys(offered):
        try:
            check_symbol(symbol, pattern)
        except MalformedSymbol:
            rejected.append({"symbol": symbol[:32], "error": "INVALID_SYMBOL"})
            continue
        if symbol not in already:
            if held >= MAX_SYMBOLS:
                rejected.append({"symbol": symbol, "error": "TOO_MANY_SYMBOLS"})
                continue
            held += 1
        accepted.append(symbol)
    return accepted, rejected


def _id(id_: str | None) -> dict[str, str]:
    return {} if id_ is None else {"id": id_}


def _encode(message: dict[str, Any]) -> str:
    return _encoder.encode(message).decode()
