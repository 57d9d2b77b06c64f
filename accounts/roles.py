"""What a key or a person may do: scopes, and the roles that are bundles of them. Pure."""

from __future__ import annotations

SCOPES = {
    "predictions:read": "read predictions, their history and their track record",
    "explanations:read": "read explanations and the state of jobs",
    "explanations:write": "order and cancel explanations",
    "stream": "open a WebSocket",
    "metrics:read": "read metrics",
    "keys:write": "manage every key of the account",
    "admin": "administer the gateway",
}

_VIEWER = frozenset({"predictions:read", "explanations:read", "stream"})
_OPERATOR = _VIEWER | {"explanations:write", "metrics:read", "keys:write"}
_ADMIN = frozenset(SCOPES)

# From the least to the most: each role may do all that the one before it may.
ROLE_SCOPES = {"viewer": _VIEWER, "operator": _OPERATOR, "admin": _ADMIN}


def reaches(role: str, wanted: str) -> bool:
    """True if `role` is `wanted` or above it; False for a role that does not exist."""
    return role in ROLE_SCOPES and ROLE_SCOPES[role] >= ROLE_SCOPES[wanted]
