"""What the document says of the API as a whole: drf-spectacular's settings."""

from __future__ import annotations

from typing import Any

from observability.version import VERSION

_DESCRIPTION = """\
Predicted prices over REST, explanations of them, and the keys and logins to ask with.

- **Credentials**: `X-API-Key: pgw_live_...`, or `Authorization: Bearer` with a key or an access token.
  Without any, predictions can be read, ten times an hour from one address, unless the gateway is set up
  otherwise. A credential that is bad is a 401, never a stranger.
- **Limits**: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers) tell all of a caller's
  limits, `X-RateLimit-*` the longest one; a 429 says in `Retry-After` when to come back.
- **Errors**: RFC 9457 problem documents. `error` is a stable code, `type` its page, `request_id` what to
  report.
- **Caching**: answers with an `ETag` are revalidated with `If-None-Match`; a 304 costs no quota.
- **Aliases**: `/api/v1/...` is another spelling of `/api/...`.
- **WebSocket**: `/ws/predictions` is described by `/api/asyncapi.json`.
"""

_TAGS = {
    "Predictions": "The newest predictions, and those before them.",
    "Explanations": "Why the model said so: ordered, computed, read.",
    "Keys": "Keys of one's own: made, seen, changed, rotated, ended.",
    "Login": "Logins of people: a password for tokens, and their end.",
    "WebSocket": "What a WebSocket is opened with.",
    "Operations": "Probes, version and metrics, for those who run the gateway.",
    "Contract": "These documents.",
}

_PLACES = ("path", "query", "header")


def _place_and_name(parameter: dict[str, Any]) -> tuple[int, str]:
    """Parameters in the order in which they stand in a request."""
    return _PLACES.index(parameter["in"]), parameter["name"]


SPECTACULAR: dict[str, Any] = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Prediction Gateway",
    "VERSION": VERSION,
    "DESCRIPTION": _DESCRIPTION,
    "CONTACT": {"name": "The Prediction Gateway project"},
    "LICENSE": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    # Where the document came from: it is the same file on every gateway.
    "SERVERS": [
        {
            "url": "/",
            "description": "The gateway that this came from, in production as locally.",
            "x-internal": False,
        }
    ],
    "TAGS": [{"name": name, "description": description} for name, description in _TAGS.items()],
    "COMPONENT_SPLIT_PATCH": False,
    "ENFORCE_NON_BLANK_FIELDS": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATIONS": False,
    "SORT_OPERATION_PARAMETERS": _place_and_name,
    "POSTPROCESSING_HOOKS": [],
    "DISABLE_ERRORS_AND_WARNINGS": False,
}
