"""Every code that a client may meet, with what it means and what to do about it. Pure.

`docs/WEBSOCKET.md` and `docs/asyncapi.json` are compared with these tables by a test.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple


class Close(IntEnum):
    """Close codes."""

    RESTART = 1012
    PROTOCOL_ERROR = 4400
    CREDENTIAL = 4401
    FORBIDDEN = 4403
    TIMEOUT = 4408
    TOO_MANY_CONNECTIONS = 4409
    TOO_BIG = 4413
    TOO_FAST = 4429
    SLOW_READER = 4503


class Code(StrEnum):
    """Codes of error frames."""

    INVALID_JSON = "INVALID_JSON"
    INVALID_MESSAGE = "INVALID_MESSAGE"
    MESSAGE_TOO_BIG = "MESSAGE_TOO_BIG"
    TOO_FAST = "TOO_FAST"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    AUTH_TIMEOUT = "AUTH_TIMEOUT"
    INVALID_CREDENTIAL = "INVALID_CREDENTIAL"
    TOO_MANY_ATTEMPTS = "TOO_MANY_ATTEMPTS"
    ALREADY_AUTHENTICATED = "ALREADY_AUTHENTICATED"
    CREDENTIAL_ENDED = "CREDENTIAL_ENDED"
    CREDENTIAL_CHANGED = "CREDENTIAL_CHANGED"
    ORIGIN_REFUSED = "ORIGIN_REFUSED"
    SCOPE_MISSING = "SCOPE_MISSING"
    TOO_MANY_CONNECTIONS = "TOO_MANY_CONNECTIONS"
    SERVER_FULL = "SERVER_FULL"
    DISCONNECTED = "DISCONNECTED"
    IDLE = "IDLE"
    SLOW_READER = "SLOW_READER"
    SNAPSHOT_UNAVAILABLE = "SNAPSHOT_UNAVAILABLE"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    UNKNOWN_JOB = "UNKNOWN_JOB"
    TOO_MANY_WATCHES = "TOO_MANY_WATCHES"


class Warned(StrEnum):
    """Codes of warnings: the connection stays."""

    UPDATES_DROPPED = "UPDATES_DROPPED"
    CREDENTIAL_EXPIRES = "CREDENTIAL_EXPIRES"


class Rejected(StrEnum):
    """Why a symbol was not subscribed."""

    INVALID_SYMBOL = "INVALID_SYMBOL"
    TOO_MANY_SYMBOLS = "TOO_MANY_SYMBOLS"


class CloseMeaning(NamedTuple):
    """What a close code says, and when a client comes back."""

    meaning: str
    reconnect: str


class Meaning(NamedTuple):
    """What an error code says; `closes` is the code that the connection is closed with, None if it stays."""

    meaning: str
    closes: Close | None = None


CLOSES: dict[Close, CloseMeaning] = {
    Close.RESTART: CloseMeaning(
        "The server restarts, is full, or cannot look the credential up right now; or its rights have "
        "changed; or staff has closed the connection.",
        "with backoff: 1 s, 2 s, 4 s … up to 30 s, each with jitter",
    ),
    Close.PROTOCOL_ERROR: CloseMeaning("Too many malformed frames.", "no: mend the client"),
    Close.CREDENTIAL: CloseMeaning(
        "The credential is bad, or has ended.", "not before it has another credential"
    ),
    Close.FORBIDDEN: CloseMeaning(
        "The origin is not allowed, or the credential lacks the scope.",
        "not before it has another credential",
    ),
    Close.TIMEOUT: CloseMeaning(
        "No credential within 5 seconds, or 5 minutes without a frame, a subscription or a watched job.",
        "at once, when it has something to ask for",
    ),
    Close.TOO_MANY_CONNECTIONS: CloseMeaning(
        "The account has as many connections open as its tier allows.", "after one of them has been closed"
    ),
    Close.TOO_BIG: CloseMeaning("A message of more than 64 KiB.", "no: mend the client"),
    Close.TOO_FAST: CloseMeaning(
        "More than 10 frames a second, or too many unknown credentials from one address.",
        "after a minute",
    ),
    Close.SLOW_READER: CloseMeaning(
        "The client has not read for 20 seconds.", "with backoff, and `since` for what it has missed"
    ),
}

ERRORS: dict[Code, Meaning] = {
    Code.INVALID_JSON: Meaning(
        "The frame is not one JSON value in UTF-8. The eleventh bad frame closes, the first one before "
        "there is a credential."
    ),
    Code.INVALID_MESSAGE: Meaning(
        "The JSON is no request; `detail` says where. The eleventh bad frame closes, the first one before "
        "there is a credential."
    ),
    Code.MESSAGE_TOO_BIG: Meaning("The message has more than 64 KiB.", Close.TOO_BIG),
    Code.TOO_FAST: Meaning("More frames than 10 a second.", Close.TOO_FAST),
    Code.UNAUTHENTICATED: Meaning("A request before a credential.", Close.CREDENTIAL),
    Code.AUTH_TIMEOUT: Meaning("No credential within 5 seconds.", Close.TIMEOUT),
    Code.INVALID_CREDENTIAL: Meaning(
        "The credential is not good. Of an `auth` that renews another one: the old one stays.",
        Close.CREDENTIAL,
    ),
    Code.TOO_MANY_ATTEMPTS: Meaning("Too many unknown credentials from this address.", Close.TOO_FAST),
    Code.ALREADY_AUTHENTICATED: Meaning(
        "The `auth` names another account, or a credential with other rights: open another connection."
    ),
    Code.CREDENTIAL_ENDED: Meaning(
        "The credential was revoked, has expired, or its account or login has ended.", Close.CREDENTIAL
    ),
    Code.CREDENTIAL_CHANGED: Meaning(
        "The credential has other rights now: come back with those.", Close.RESTART
    ),
    Code.ORIGIN_REFUSED: Meaning("Pages of this origin may not connect.", Close.FORBIDDEN),
    Code.SCOPE_MISSING: Meaning(
        "The credential lacks the scope; at the handshake this closes, of a request it does not.",
        Close.FORBIDDEN,
    ),
    Code.TOO_MANY_CONNECTIONS: Meaning(
        "The account has as many connections as its tier allows.", Close.TOO_MANY_CONNECTIONS
    ),
    Code.SERVER_FULL: Meaning("This server process takes no more connections.", Close.RESTART),
    Code.DISCONNECTED: Meaning("Staff has closed this connection.", Close.RESTART),
    Code.IDLE: Meaning("No frame, subscription or watched job for 5 minutes.", Close.TIMEOUT),
    Code.SLOW_READER: Meaning("The client has not read for 20 seconds.", Close.SLOW_READER),
    Code.SNAPSHOT_UNAVAILABLE: Meaning("The newest values cannot be read; live updates follow."),
    Code.STORE_UNAVAILABLE: Meaning(
        "What was asked cannot be looked up right now; at the handshake this closes.", Close.RESTART
    ),
    Code.UNKNOWN_JOB: Meaning("There is no such job of this account."),
    Code.TOO_MANY_WATCHES: Meaning("A connection watches 100 jobs at most."),
}
