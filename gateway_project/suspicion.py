"""Requests that look like an attack: a path that climbs is refused, what reads like SQL is told in the log.

Nothing relies on it. No file is found by a path of a caller, and no statement is made of a caller's text.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from gateway_project.admission import Refused

Receive = Callable[[], Awaitable[dict[str, Any]]]

_CLIMBS = re.compile(r"\.\.|~|\\x")
_SQL = re.compile(
    rb"\b(?:union\b.{1,40}?\bselect|select\b.{1,200}?\bfrom|insert\b.{1,20}?\binto|delete\b.{1,20}?\bfrom"
    rb"|drop\b.{1,20}?\b(?:table|database|schema|index|view|user))\b",
    re.IGNORECASE | re.DOTALL,
)
_LOOKED_AT_BYTES = 8 * 1024
_LONGEST_SHOWN = 200

logger = logging.getLogger(__name__)


def look_at_target(scope: dict[str, Any], address: str) -> None:
    """Raise `Refused` for a path that climbs, also one that was encoded twice; note what reads like SQL."""
    path: str = scope["path"]
    if _CLIMBS.search(path) or ("%" in path and _CLIMBS.search(unquote(path))):
        _tell("a path that climbs was refused", scope, address)
        raise Refused("FORBIDDEN", "This path is not one that anything here could have.")
    query: bytes = scope["query_string"]
    asked = path.encode() + b"?" + unquote_to_bytes(query[:_LOOKED_AT_BYTES].replace(b"+", b" "))
    if reads_like_sql(asked):
        _tell("a target that reads like SQL", scope, address)


def watch_body(scope: dict[str, Any], receive: Receive, address: str) -> Receive:
    """`receive`, which notes what reads like SQL."""

    async def watching() -> dict[str, Any]:
        message = await receive()
        if reads_like_sql(message.get("body", b"")):
            _tell("a body that reads like SQL", scope, address)
        return message

    return watching


def reads_like_sql(text: bytes) -> bool:
    """True where a statement's words stand near each other."""
    return _SQL.search(text, 0, _LOOKED_AT_BYTES) is not None


_told: dict[tuple[str, str], float] = {}


def _tell(what: str, scope: dict[str, Any], address: str) -> None:
    """One line a minute for each address and kind."""
    now_s = time.monotonic()
    if now_s - _told.get((what, address), float("-inf")) < 60.0:
        return
    if len(_told) >= 10_000:
        _told.clear()
    _told[what, address] = now_s
    logger.warning("%s: %s %r, from %s", what, scope["method"], scope["path"][:_LONGEST_SHOWN], address)
