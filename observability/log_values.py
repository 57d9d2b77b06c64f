"""What may stand in a line of a log: without secrets, without control characters, of bounded length. Pure.

Whoever writes a line decides what it tells; this is for what was not meant to be in it: a key in a URL, a
password in the text of an error, a header that a library repeats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"
MOST_CHARACTERS = 16_384

_MOST_ITEMS = 100
_DEEPEST = 4

_SECRET_NAME = re.compile(
    r"password|passwd|secret|token|credential|api[_-]?key|authorization|cookie", re.IGNORECASE
)

# Each alternative begins at a fixed word and runs over one class of characters, so that the cost grows with
# the length of the text and with nothing else.
_SECRET = re.compile(
    # A key of ours: the public part may be shown; a ticket, a refresh token: nothing of it.
    r"(?P<key>pgw_(?:live|test)_[0-9A-Za-z]{22}_)[0-9A-Za-z_]+"
    r"|(?P<form>pgw_(?:live|test)_)[0-9A-Za-z_]{23,}"
    r"|(?P<token>pgw[rt]_)[0-9A-Za-z_-]{8,}"
    # A JSON Web Token.
    r"|(?<![\w-])eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"
    # user:password@ in a URL.
    r"|(?P<url>://[^\s:@/]{0,128}:)[^\s@/]+(?=@)"
    # token=..., 'password': '...'
    r"|(?P<named>(?:password|passwd|secret|token|api[_-]?key)[\w-]{0,16}(?:=|[\"']\s?:\s?)[\"']?)"
    r"[^\s&\"',;)}\]]+"
    # X-API-Key: ..., (b'authorization', b'Bearer ...')
    r"|(?P<header>(?:authorization|x-api-key)[\"']?\s?[:=,]\s?(?:b?[\"'])?(?:(?:bearer|basic)\s)?)[^\s\"']+"
    r"|(?P<cookie>cookie[\"']?\s?[:=,]\s?(?:b?[\"'])?)[^\r\n\"']+"
    r"|(?P<bearer>bearer\s)[\w.~+/=-]{16,}",
    re.IGNORECASE,
)

# Of them a terminal or a reader of lines makes more than a character: C0, DEL, C1, separators of lines and
# paragraphs, changes of direction.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def redact(text: str) -> str:
    """`text` without what looks like a secret, cut after `MOST_CHARACTERS`."""
    if len(text) <= MOST_CHARACTERS:
        return _SECRET.sub(_hide, text)
    # Cut last: half of a secret does not look like one.
    return _SECRET.sub(_hide, text[: MOST_CHARACTERS + 512])[:MOST_CHARACTERS] + " (cut)"


def redact_field(name: str, value: Any, *, depth: int = 0) -> Any:
    """`value` as JSON may have it, hidden where `name` says that it is a secret."""
    if value is not None and not isinstance(value, bool) and _SECRET_NAME.search(name):
        return HIDDEN
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth < _DEEPEST and isinstance(value, Mapping):
        items = list(value.items())[:_MOST_ITEMS]
        return {redact(str(key)): redact_field(str(key), one, depth=depth + 1) for key, one in items}
    if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [redact_field("", one, depth=depth + 1) for one in list(value)[:_MOST_ITEMS]]
    return redact(str(value))


def escaped(text: str) -> str:
    """`text` in one line: control characters as Python writes them in a string."""
    return _CONTROL.sub(_escape, text)


def _hide(found: re.Match[str]) -> str:
    kept = found[found.lastgroup] if found.lastgroup else ""
    return f"{kept}{HIDDEN}"


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
