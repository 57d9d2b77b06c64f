"""Who may call what: one table, method x route x role -> status, and a new route that is missing here fails.

OWASP API2 (authentication), API5 (functions): every route is called by everybody, allowed or not.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from accounts import keys
from tests.explained import add_explanation, add_job
from tests.gateway_project.test_routes import configured
from tests.people import PASSWORD, Key, add_account, add_key, add_user, bearer, log_in
from tests.stack import Stack, event, eventually

Headers = dict[str, str]

ROLES = ("nobody", "bad", "viewer", "operator", "admin", "reader", "streamer", "manager")
"""Without a credential; with a bad one; people by role; keys with one scope each."""

# The order of ROLES.
MATRIX: dict[tuple[str, str], tuple[int, ...]] = {
    ("prediction", "GET"): (200, 401, 200, 200, 200, 200, 403, 403),
    ("prediction-history", "GET"): (200, 401, 200, 200, 200, 200, 403, 403),
    ("prediction-accuracy", "GET"): (200, 401, 200, 200, 200, 200, 403, 403),
    ("predictions", "GET"): (200, 401, 200, 200, 200, 200, 403, 403),
    ("explanation", "GET"): (401, 401, 200, 200, 200, 403, 403, 403),
    ("explanation", "POST"): (401, 401, 403, 202, 202, 403, 403, 403),
    ("explanation-job", "GET"): (401, 401, 202, 202, 202, 403, 403, 403),
    ("explanation-job", "DELETE"): (401, 401, 403, 204, 204, 403, 403, 403),
    ("auth-login", "POST"): (200, 200, 200, 200, 200, 200, 200, 200),
    ("auth-refresh", "POST"): (200, 200, 200, 200, 200, 200, 200, 200),
    ("auth-logout", "POST"): (204, 204, 204, 204, 204, 204, 204, 204),
    ("auth-register", "POST"): (401, 401, 201, 201, 201, 403, 403, 201),
    ("auth-profile", "GET"): (401, 401, 200, 200, 200, 200, 200, 200),
    ("auth-keys", "GET"): (401, 401, 200, 200, 200, 200, 200, 200),
    ("auth-key", "GET"): (401, 401, 404, 200, 200, 404, 404, 200),
    ("auth-key", "PATCH"): (401, 401, 404, 200, 200, 404, 404, 200),
    ("auth-rotate-key", "POST"): (401, 401, 404, 201, 201, 404, 404, 403),
    ("auth-revoke", "DELETE"): (401, 401, 404, 204, 204, 404, 404, 204),
    ("auth-ws-ticket", "POST"): (401, 401, 201, 201, 201, 403, 201, 403),
    ("symbols", "GET"): (200, 401, 200, 200, 200, 200, 403, 403),
    ("dashboard", "GET"): (200,) * 8,
    ("start", "GET"): (200,) * 8,
    ("error-page", "GET"): (200,) * 8,
    ("openapi", "GET"): (200,) * 8,
    ("asyncapi", "GET"): (200,) * 8,
    ("docs", "GET"): (200,) * 8,
    ("redoc", "GET"): (200,) * 8,
    ("llms", "GET"): (200,) * 8,
    ("health", "GET"): (200,) * 8,
    # All of them are on this machine, which is a network of METRICS_NETWORKS.
    ("metrics", "GET"): (200, 200, 200, 200, 200, 200, 200, 200),
    ("version", "GET"): (200,) * 8,
}

STATUSES_OF_NONE = (405,) * len(ROLES)
"""What a route answers to a method that it does not have."""


@dataclass(frozen=True)
class Cast:
    """Everybody who calls, and what they call about: all of one account."""

    stack: Stack
    account: int
    headers: dict[str, Headers]
    person: str

    def target(self) -> Key:
        """A fresh key of the account, made by nobody in particular."""
        return add_key(self.stack, "enterprise", account=self.account)


@pytest.fixture(scope="module")
def cast(stack: Stack) -> Cast:
    """The cast, on the running stack."""
    stack.publish(event("MTRX"))
    eventually(lambda: stack.read("MTRX"))
    add_explanation(stack, "MTRX")
    account = add_account(stack, "enterprise")
    headers: dict[str, Headers] = {"nobody": {}, "bad": {"X-API-Key": _unknown_key()}}
    for role in ("viewer", "operator", "admin"):
        headers[role] = bearer(log_in(stack, add_user(stack, account=account, role=role)))
    for name, scope in (("reader", "predictions:read"), ("streamer", "stream"), ("manager", "keys:write")):
        headers[name] = add_key(stack, "enterprise", account=account, scopes=json.dumps([scope])).header
    assert tuple(headers) == ROLES
    return Cast(stack, account, headers, add_user(stack, account=account))


def _unknown_key() -> str:
    return keys.make_key(uuid.uuid4(), "live")


Call = Callable[[Cast], dict[str, Any]]

CALLS: dict[tuple[str, str], Call] = {
    ("prediction", "GET"): lambda cast: {"url": "/api/prediction/MTRX"},
    ("prediction-history", "GET"): lambda cast: {"url": "/api/prediction/MTRX/history"},
    ("prediction-accuracy", "GET"): lambda cast: {"url": "/api/prediction/MTRX/accuracy"},
    ("predictions", "GET"): lambda cast: {"url": "/api/predictions?symbols=MTRX"},
    ("explanation", "GET"): lambda cast: {"url": "/api/explanation/MTRX"},
    ("explanation", "POST"): lambda cast: {"url": "/api/explanation/MTRX", "json": {"depth": "fast"}},
    ("explanation-job", "GET"): lambda cast: {"url": f"/api/explanation/job/{_job(cast)}"},
    ("explanation-job", "DELETE"): lambda cast: {"url": f"/api/explanation/job/{_job(cast)}"},
    ("auth-login", "POST"): lambda cast: {
        "url": "/auth/login",
        "json": {"username": add_user(cast.stack, account=cast.account), "password": PASSWORD},
    },
    ("auth-refresh", "POST"): lambda cast: {"url": "/auth/refresh", "json": _refresh_token(cast)},
    ("auth-logout", "POST"): lambda cast: {"url": "/auth/logout", "json": _refresh_token(cast)},
    ("auth-register", "POST"): lambda cast: {"url": "/auth/register", "json": {}},
    ("auth-profile", "GET"): lambda cast: {"url": "/auth/profile"},
    ("auth-keys", "GET"): lambda cast: {"url": "/auth/keys"},
    ("auth-key", "GET"): lambda cast: {"url": f"/auth/keys/{keys.public_id(cast.target().id)}"},
    ("auth-key", "PATCH"): lambda cast: {
        "url": f"/auth/keys/{keys.public_id(cast.target().id)}",
        "json": {"name": "another"},
    },
    ("auth-rotate-key", "POST"): lambda cast: {
        "url": "/auth/rotate-key",
        "json": {"key": keys.public_id(cast.target().id)},
    },
    ("auth-revoke", "DELETE"): lambda cast: {"url": f"/auth/revoke?key={keys.public_id(cast.target().id)}"},
    ("auth-ws-ticket", "POST"): lambda cast: {"url": "/auth/ws-ticket"},
    ("symbols", "GET"): lambda cast: {"url": "/api/symbols"},
    ("dashboard", "GET"): lambda cast: {"url": "/"},
    ("start", "GET"): lambda cast: {"url": "/start"},
    ("error-page", "GET"): lambda cast: {"url": "/errors/UNKNOWN_SYMBOL"},
    ("openapi", "GET"): lambda cast: {"url": "/api/openapi.json"},
    ("asyncapi", "GET"): lambda cast: {"url": "/api/asyncapi.json"},
    ("docs", "GET"): lambda cast: {"url": "/api/docs"},
    ("redoc", "GET"): lambda cast: {"url": "/api/redoc"},
    ("llms", "GET"): lambda cast: {"url": "/llms.txt"},
    ("health", "GET"): lambda cast: {"url": "/health/ready"},
    ("metrics", "GET"): lambda cast: {"url": "/metrics"},
    ("version", "GET"): lambda cast: {"url": "/version"},
}


def _job(cast: Cast) -> uuid.UUID:
    """A job of the account that nobody works on."""
    return add_job(cast.stack, cast.account)


def _refresh_token(cast: Cast) -> dict[str, str]:
    return {"refresh_token": log_in(cast.stack, add_user(cast.stack, account=cast.account))["refresh_token"]}


def call(cast: Cast, route: str, method: str, headers: Headers) -> httpx.Response:
    """Call `method` on `route` as whoever sends `headers`."""
    request = CALLS[route, method](cast)
    url = cast.stack.base_url + request.pop("url")
    return httpx.request(method, url, headers=headers, timeout=60, **request)


def test_every_route_of_the_url_configuration_is_in_the_matrix() -> None:
    routes = {(route, method) for route, methods in configured().items() for method in methods}
    assert set(MATRIX) == set(CALLS) == routes


@pytest.mark.parametrize(
    ("route", "method", "role", "status"),
    [
        (route, method, role, status)
        for (route, method), statuses in MATRIX.items()
        for role, status in zip(ROLES, statuses, strict=True)
    ],
)
def test_the_status_of_the_matrix(cast: Cast, route: str, method: str, role: str, status: int) -> None:
    response = call(cast, route, method, cast.headers[role])
    assert response.status_code == status, response.text
    if status in (401, 403, 404):
        assert response.headers["content-type"] == "application/problem+json"
        assert ("www-authenticate" in response.headers) == (status == 401)


@pytest.mark.parametrize(("route", "method"), [one for one in MATRIX if one[1] != "GET"])
@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_a_method_cannot_be_smuggled_in_by_a_header(cast: Cast, route: str, method: str, header: str) -> None:
    request = CALLS[route, method](cast)
    url = cast.stack.base_url + request.pop("url")
    for sent in ("GET", "POST"):
        if sent == "POST" and (route, sent) in MATRIX:
            continue  # what it does is its own
        headers = {**cast.headers["admin"], header: method}
        response = httpx.request(sent, url, headers=headers, timeout=60, **request)
        assert response.status_code == MATRIX.get((route, sent), STATUSES_OF_NONE)[ROLES.index("admin")]
        assert '"another"' not in response.text  # the name that a key gets by PATCH


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "PURGE", "DELETE", "PUT"])
@pytest.mark.parametrize("route", sorted({route for route, _ in MATRIX}))
def test_405_for_every_method_that_is_not_in_the_matrix(cast: Cast, route: str, method: str) -> None:
    if (route, method) in MATRIX:
        method = "PUT"
    known = next(known for known in MATRIX if known[0] == route)
    request = CALLS[known](cast) if known[1] == "GET" else {"url": _path_of(cast, known)}
    response = httpx.request(method, cast.stack.base_url + request["url"], headers=cast.headers["admin"])
    assert response.status_code in (400, 405) if method == "CONNECT" else response.status_code == 405
    if response.status_code == 405:
        assert response.json()["error"] == "METHOD_NOT_ALLOWED"


def _path_of(cast: Cast, known: tuple[str, str]) -> str:
    paths = {"auth-key": "/auth/keys/x", "auth-ws-ticket": "/auth/ws-ticket"}
    return paths.get(known[0], f"/auth/{known[0].removeprefix('auth-')}")


def test_a_key_in_the_url_is_no_credential(cast: Cast) -> None:
    secret = cast.target().secret
    for name in ("api_key", "apikey", "key", "token", "access_token", "X-API-Key"):
        response = httpx.get(f"{cast.stack.base_url}/auth/profile", params={name: secret})
        assert response.status_code == 401, name
        assert secret not in response.text
