"""The one table of what every route needs, and the one rule that reads it. Pure.

Routes are named as in the URL configuration; a test holds the two together. What is not in here is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from accounts.callers import Caller
from accounts.roles import SCOPES


@dataclass(frozen=True, slots=True)
class Need:
    """What a caller must bring for a route and method.

    `scope` None means that any good credential will do. `anonymous` routes also take callers without one, if
    the gateway is set up so; `strangers` routes let them through to the view, which has a setting of its own.
    On `public` routes credentials are not looked at, nor on routes for `watchers` if they come from a network
    of `METRICS_NETWORKS`. What is `personal` is not for a key that many share: none of them may see the
    others, or change the key of all. `cost` is what a call takes from the caller's limits: 0 shows them
    without being limited by them.
    """

    scope: str | None = None
    anonymous: bool = False
    strangers: bool = False
    public: bool = False
    watchers: bool = False
    personal: bool = False
    cost: int = 0


PUBLIC = Need(public=True)
_READ = Need("predictions:read", anonymous=True, cost=1)
_READ_EXPLANATION = Need("explanations:read", cost=1)
_WRITE_EXPLANATION = Need("explanations:write", cost=1)
_PERSONAL = Need(personal=True)

ROUTES: dict[str, dict[str, Need]] = {
    "prediction": {"GET": _READ},
    "prediction-history": {"GET": _READ},
    "prediction-accuracy": {"GET": _READ},
    "predictions": {"GET": _READ},
    "symbols": {"GET": _READ},
    "explanation": {"GET": _READ_EXPLANATION, "POST": _WRITE_EXPLANATION},
    "explanation-job": {"GET": _READ_EXPLANATION, "DELETE": _WRITE_EXPLANATION},
    "auth-login": {"POST": PUBLIC},
    "auth-refresh": {"POST": PUBLIC},
    "auth-logout": {"POST": PUBLIC},
    "auth-register": {"POST": Need(anonymous=True, strangers=True, personal=True, cost=1)},
    "auth-profile": {"GET": _PERSONAL},
    "auth-keys": {"GET": _PERSONAL},
    "auth-key": {"GET": _PERSONAL, "PATCH": _PERSONAL},
    "auth-rotate-key": {"POST": _PERSONAL},
    "auth-revoke": {"DELETE": _PERSONAL},
    "auth-ws-ticket": {"POST": Need("stream", personal=True)},
    "dashboard": {"GET": PUBLIC},
    "openapi": {"GET": PUBLIC},
    "asyncapi": {"GET": PUBLIC},
    "docs": {"GET": PUBLIC},
    "redoc": {"GET": PUBLIC},
    "llms": {"GET": PUBLIC},
    "start": {"GET": PUBLIC},
    "error-page": {"GET": PUBLIC},
    "version": {"GET": PUBLIC},
    "health": {"GET": PUBLIC},
    "metrics": {"GET": Need("metrics:read", watchers=True)},
}

UNMATCHED = Need(anonymous=True, cost=1)
"""Paths below ``/api/`` where nothing is: looking for what is there is limited as well."""

SOCKET = Need("stream")


class NotAllowed(Exception):
    """The caller may not do this. `code` is NOT_AUTHENTICATED (401), FORBIDDEN or SCOPE_MISSING (403)."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def need_of(route: str, method: str) -> Need | None:
    """What `method` on `route` needs; None where the table has nothing. HEAD is GET; OPTIONS is public."""
    methods = ROUTES.get(route)
    if methods is None:
        return None
    if method == "OPTIONS":
        return PUBLIC
    return methods.get("GET" if method == "HEAD" else method)


def check(need: Need, caller: Caller, *, anonymous_access: bool) -> None:
    """Raise `NotAllowed` unless `caller` may do what has this `need`."""
    if need.public:
        return
    if not caller.is_authenticated and not need.strangers and not (need.anonymous and anonymous_access):
        raise NotAllowed("NOT_AUTHENTICATED", "Authentication credentials were not provided.")
    if need.personal and caller.is_shared:
        raise NotAllowed("FORBIDDEN", "Everybody has this key: it may not see or change keys.")
    if need.scope is not None and need.scope not in caller.scopes:
        raise NotAllowed(
            "SCOPE_MISSING",
            f"This credential does not have the scope {need.scope}, which is needed to {SCOPES[need.scope]}.",
        )
