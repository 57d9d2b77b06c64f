"""The request id: accepted or made at the rim, and known to everything that runs under the request."""

from __future__ import annotations

import contextvars
import re
import uuid

HEADER = "X-Request-ID"
_ACCEPTED = re.compile(r"[A-Za-z0-9._\-]{8,128}")
_request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")


def accept_or_make(offered: str | None) -> str:
    """Return the caller's id where it is harmless (8-128 of ``A-Za-z0-9._-``), else a new UUID."""
    if offered and _ACCEPTED.fullmatch(offered):
        return offered
    return str(uuid.uuid4())


def bind(request_id: str) -> None:
    """Make `request_id` the current one for this task or thread context."""
    _request_id.set(request_id)


def current() -> str:
    """The id of the request being served, or an empty string outside of one."""
    return _request_id.get()
