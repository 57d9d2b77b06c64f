"""The request being served: its id, whence and when it came. Set at the rim, known everywhere below."""

from __future__ import annotations

import contextvars
import random
import re
from collections.abc import Iterable
from datetime import UTC, datetime

HEADER = "X-Request-ID"
RAW_HEADER = HEADER.lower().encode()
"""As ASGI has it."""

_ACCEPTED = re.compile(r"[A-Za-z0-9._\-]{8,128}")
# Seeded by the system in each process; an id names a request, and keeps no secret.
_random = random.Random()  # noqa: S311
# The bits that say version 4 and the usual variant, and all others.
_VERSION_4 = 4 << 76 | 2 << 62
_FREE = (1 << 128) - 1 - (0xF << 76) - (3 << 62)
_request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
_address: contextvars.ContextVar[str] = contextvars.ContextVar("address", default="")
_arrived_at: contextvars.ContextVar[datetime | None] = contextvars.ContextVar("arrived_at", default=None)


def accept_or_make(offered: str | None) -> str:
    """Return the caller's id where it is harmless (8-128 of ``A-Za-z0-9._-``), else a new UUID."""
    if offered and _ACCEPTED.fullmatch(offered):
        return offered
    # A UUID of version 4; its module takes ten times as long, and asks the system for each.
    number = f"{_random.getrandbits(128) & _FREE | _VERSION_4:032x}"
    return f"{number[:8]}-{number[8:12]}-{number[12:16]}-{number[16:20]}-{number[20:]}"


def of_headers(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The id that a request with the `headers`, as ASGI has them, has or gets."""
    offered = next((value for name, value in headers if name == RAW_HEADER), b"")
    return accept_or_make(offered.decode("latin-1"))


def bind(request_id: str, *, address: str = "", arrived_at: datetime | None = None) -> None:
    """Make this the current request of this task or thread context."""
    _request_id.set(request_id)
    _address.set(address)
    _arrived_at.set(arrived_at)


def current() -> str:
    """The id of the request being served, or an empty string outside of one."""
    return _request_id.get()


def address() -> str:
    """The address of the client being served, or an empty string outside of a request."""
    return _address.get()


def arrived_at() -> datetime:
    """When the request came in, before it waited for a thread; outside of a request, now."""
    return _arrived_at.get() or datetime.now(UTC)
