"""The headers of answers that routes share, as components. Pure."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_COUNT: Schema = {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2**53}
_LIMITED = "Missing where no limit counts the call."


def _line(most: int, pattern: str = "^[ -~]*$") -> Schema:
    return {"type": "string", "maxLength": most, "pattern": pattern}


_ITEM = '"[!#-~ ]{1,64}"'

COMPONENTS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "The id of the call: the one that was sent, if it may be one, or a new one. It is in "
        "the log.",
        "required": True,
        "schema": _line(128),
        "example": "5d3f8f0e5c5b4a0a9a3a3c3d9f1b7e21",
    },
    "Access-Control-Allow-Origin": {
        "description": "The origin of the calling page, if it is one of `CORS_ORIGINS`; else missing.",
        "schema": {"type": "string", "format": "uri", "maxLength": 512},
        "example": "https://dashboard.example",
    },
    "X-RateLimit-Limit": {
        "description": f"What the longest limit lets through; of a 429, the one that refused. {_LIMITED}",
        "schema": _COUNT,
        "example": 1000,
    },
    "X-RateLimit-Remaining": {
        "description": f"Calls that are left of it. {_LIMITED}",
        "schema": _COUNT,
        "example": 997,
    },
    "X-RateLimit-Reset": {
        "description": f"When all of them are there again, in seconds since 1970. {_LIMITED}",
        "schema": _COUNT,
        "example": 1767609600,
    },
    "RateLimit-Policy": {
        "description": f"Every limit of the caller on this route: `q` calls in `w` seconds. {_LIMITED}",
        "schema": _line(4096, f"^{_ITEM};q=[0-9]+;w=[0-9]+(, {_ITEM};q=[0-9]+;w=[0-9]+)*$"),
        "example": '"hourly";q=1000;w=3600, "burst";q=250;w=5',
    },
    "RateLimit": {
        "description": f"How the caller stands with each: `r` calls are left, all in `t` seconds. {_LIMITED}",
        "schema": _line(4096, f"^{_ITEM};r=[0-9]+;t=[0-9]+(, {_ITEM};r=[0-9]+;t=[0-9]+)*$"),
        "example": '"hourly";r=997;t=3471, "burst";r=249;t=1',
    },
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 2**31 - 1},
        "example": 45,
    },
    "WWW-Authenticate": {
        "description": "What credential is wanted (RFC 6750).",
        "required": True,
        "schema": _line(256),
        "example": 'Bearer realm="prediction-gateway"',
    },
    "ETag": {
        "description": "Which version this is, for `If-None-Match`.",
        "required": True,
        "schema": _line(128, '^(W/)?"[!#-~]*"$'),
        "example": 'W/"AAPL-64f8a3b2c1d00-7c"',
    },
    "Cache-Control": {
        "description": "For how long the caller may keep the answer.",
        "required": True,
        "schema": _line(128),
        "example": "private, max-age=60",
    },
    "Warning": {
        "description": "The calling key was rotated and ends soon.",
        "schema": _line(256),
        "example": '299 - "This API key was rotated and ends at 2026-01-06T10:00:00Z; use the new one."',
    },
    "X-API-Key-Expires": {
        "description": "When the calling key ends; only of a key that was rotated.",
        "schema": {"type": "string", "format": "date-time", "maxLength": 35},
        "example": "2026-01-06T10:00:00Z",
    },
}

EVERYWHERE = (
    "X-Request-ID",
    "Access-Control-Allow-Origin",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "RateLimit-Policy",
    "RateLimit",
)
CONDITIONAL = ("ETag", "Cache-Control")
OF_A_ROTATED_KEY = ("Warning", "X-API-Key-Expires")


def refs(*names: str) -> dict[str, Schema]:
    """The components with `names`."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
