"""A request that was answered, or a WebSocket that has ended, as a line of the access log. Pure."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from observability.log_values import escaped, redact

NAME = "access"
PROBES = frozenset({"health", "metrics"})
"""Routes whose lines are for DEBUG alone."""

_LONGEST_METHOD = 16
_LONGEST_PATH = 256
_LONGEST_AGENT = 100


class Request(NamedTuple):
    """A request that was answered; sizes are of bodies, `caller` is a name as in `accounts.callers`."""

    at_s: float
    request_id: str
    method: str
    route: str
    path: str
    status: int
    seconds: float
    bytes_in: int
    bytes_out: int
    caller: str
    account_id: int | None
    tier: str
    address: str
    agent: bytes


class Socket(NamedTuple):
    """A WebSocket that has ended, with `code`; `sent` and `dropped` are updates."""

    at_s: float
    request_id: str
    connection: str
    caller: str
    account_id: int | None
    address: str
    code: int | None
    reason: str
    seconds: float
    sent: int
    dropped: int


class RequestLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fields of a request's line, in their order."""

    timestamp: str
    level: str
    logger: str
    event: str
    request_id: str
    method: str
    route: str
    path: str
    status: int
    duration_ms: float
    bytes_in: int
    bytes_out: int
    key: str | None
    account_id: int | None
    tier: str
    address: str
    user: str = ""
    user_agent: str = ""


class SocketLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fields of a socket's line, in their order."""

    timestamp: str
    level: str
    logger: str
    event: str
    request_id: str
    connection: str
    key: str | None
    account_id: int | None
    address: str
    code: int | None
    duration_s: float
    sent: int
    dropped: int
    user: str = ""
    reason: str = ""


def of_request(one: Request) -> RequestLine:
    """The line of a request. Whatever the caller has chosen is bounded, escaped, and holds no secret."""
    kind, _, name = one.caller.partition(" ")
    return RequestLine(
        _moment(one.at_s),
        "debug" if one.route in PROBES else "info",
        NAME,
        "request",
        one.request_id,
        _shown(one.method, _LONGEST_METHOD),
        one.route,
        _shown(one.path, _LONGEST_PATH),
        one.status,
        round(one.seconds * 1000, 3),
        one.bytes_in,
        one.bytes_out,
        name if kind == "key" else None,
        one.account_id,
        one.tier,
        one.address,
        name if kind == "user" else "",
        _shown(one.agent.decode("latin-1"), _LONGEST_AGENT) if one.agent else "",
    )


def of_socket(one: Socket) -> SocketLine:
    """The line of a socket."""
    kind, _, name = one.caller.partition(" ")
    return SocketLine(
        _moment(one.at_s),
        "info",
        NAME,
        "socket",
        one.request_id,
        one.connection,
        name if kind == "key" else None,
        one.account_id,
        one.address,
        one.code,
        round(one.seconds, 3),
        one.sent,
        one.dropped,
        name if kind == "user" else "",
        one.reason,
    )


def as_text(line: RequestLine | SocketLine) -> bytes:
    """The line for people."""
    who = f"key {line.key}" if line.key else f"user {line.user}" if line.user else "nobody"
    if isinstance(line, RequestLine):
        told = (
            f"{line.method} {line.path} {line.status} in {line.duration_ms:.1f} ms, {line.bytes_out} bytes "
            f"to {who} at {line.address}"
        )
    else:
        told = (
            f"socket of {who} at {line.address} closed: {line.code} {line.reason or '-'} after "
            f"{line.duration_s:.0f} s, {line.sent} updates sent, {line.dropped} dropped"
        )
    return f"{line.timestamp} [{line.level:<9}] {told} [{NAME}] request_id={line.request_id}".encode()


def _shown(text: str, most: int) -> str:
    # What is longer than that is not worth being remembered.
    return _shown_short(text, most) if len(text) <= _LONGEST_PATH else _cleaned(text, most)


def _cleaned(text: str, most: int) -> str:
    if text.isprintable() and len(text) <= most and not _may_hold_secret(text):
        return text
    return escaped(redact(text))[:most]


_shown_short = functools.lru_cache(maxsize=2_048)(_cleaned)


def _may_hold_secret(text: str) -> bool:
    """A quick look: the search itself takes longer than all the rest of a line."""
    return "pgw" in text or "eyJ" in text or "=" in text or "@" in text


def _moment(at_s: float) -> str:
    """RFC 3339, in UTC, to the millisecond."""
    whole_s = int(at_s)
    return f"{_second(whole_s)}.{int((at_s - whole_s) * 1000):03d}Z"


@functools.lru_cache(maxsize=8)
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
