"""OWASP API1 and API3: what belongs to another account does not exist, and nobody sets what is not theirs.

Every route with an object in its path, query or body is called with the ids of another account; the answer is
the one for an id that never existed.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from django.urls import get_resolver

from accounts import keys
from tests.explained import add_job
from tests.gateway_project.test_routes import walk
from tests.people import add_key, add_user, bearer, log_in
from tests.stack import Stack

Headers = dict[str, str]

OBJECTS: dict[str, Callable[[str], list[tuple[str, dict[str, Any]]]]] = {
    "auth-key": lambda id_: [
        ("GET", {"url": f"/auth/keys/{id_}"}),
        ("PATCH", {"url": f"/auth/keys/{id_}", "json": {"name": "mine"}}),
    ],
    "explanation-job": lambda id_: [
        ("GET", {"url": f"/api/explanation/job/{keys.key_id_of(id_)}"}),
        ("DELETE", {"url": f"/api/explanation/job/{keys.key_id_of(id_)}"}),
    ],
    "auth-rotate-key": lambda id_: [("POST", {"url": "/auth/rotate-key", "json": {"key": id_}})],
    "auth-revoke": lambda id_: [("DELETE", {"url": f"/auth/revoke?key={id_}"})],
    "auth-keys": lambda id_: [("GET", {"url": f"/auth/keys?cursor={id_}"})],
}
"""Routes that take the id of something that belongs to an account; the foreign job has the foreign key's."""

SHARED_PARAMETERS = {"symbol", "code"}
"""Path parameters that name what belongs to nobody: symbols and error codes."""


EXPLAIN = ("explanations:read", "explanations:write")


@dataclass(frozen=True)
class Tenants:
    """Two accounts: whoever calls, and the key that belongs to the other."""

    stack: Stack
    callers: dict[str, Headers]
    foreign: str


@pytest.fixture(scope="module")
def tenants(stack: Stack) -> Tenants:
    """An administrator and a managing key of one account, and a key of another."""
    manager = add_key(stack, "enterprise", scopes=json.dumps(["keys:write", "stream", "admin", *EXPLAIN]))
    admin = log_in(stack, add_user(stack, account=manager.account_id, role="admin"))
    foreign = add_key(stack, "enterprise")
    add_job(stack, foreign.account_id, foreign.id)
    return Tenants(stack, {"key": manager.header, "person": bearer(admin)}, keys.public_id(foreign.id))


def test_every_route_with_an_object_in_its_path_is_in_the_table() -> None:
    found = {
        str(pattern.name)
        for pattern in walk(get_resolver())
        if set(pattern.pattern.regex.groupindex) - SHARED_PARAMETERS
        or set(getattr(pattern.pattern, "converters", {})) - SHARED_PARAMETERS
    }
    assert found <= set(OBJECTS)


@pytest.mark.parametrize("caller", ["key", "person"])
@pytest.mark.parametrize("route", OBJECTS)
def test_a_foreign_id_is_answered_like_one_that_never_existed(
    tenants: Tenants, route: str, caller: str
) -> None:
    absent = keys.public_id(uuid.uuid4())
    for foreign, never in zip(OBJECTS[route](tenants.foreign), OBJECTS[route](absent), strict=True):
        answers = [_ask(tenants, caller, *call) for call in (foreign, never)]
        assert answers[0].status_code == answers[1].status_code == (400 if route == "auth-keys" else 404)
        bodies = [
            _comparable(answer, id_) for answer, id_ in zip(answers, (tenants.foreign, absent), strict=True)
        ]
        assert bodies[0] == bodies[1]
    state = tenants.stack.rows(
        "SELECT name, revoked_at FROM api_keys WHERE id = %s", keys.key_id_of(tenants.foreign)
    )
    assert state == [("test", None)]
    job = keys.key_id_of(tenants.foreign)
    rows = tenants.stack.rows("SELECT cancelled_at FROM explanations_explanationjob WHERE id = %s", job)
    assert rows == [(None,)]


def _ask(tenants: Tenants, caller: str, method: str, request: dict[str, Any]) -> httpx.Response:
    request = dict(request)
    url = tenants.stack.base_url + request.pop("url")
    return httpx.request(method, url, headers=tenants.callers[caller], timeout=60, **request)


def _comparable(answer: httpx.Response, id_: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(answer.text.replace(id_, "ID").replace(str(keys.key_id_of(id_)), "ID"))
    return {name: value for name, value in body.items() if name not in ("request_id", "timestamp")}


@pytest.mark.parametrize("caller", ["key", "person"])
def test_lists_and_profiles_hold_nothing_of_another_account(tenants: Tenants, caller: str) -> None:
    for path in ("/auth/keys?limit=100", "/auth/profile"):
        answer = _ask(tenants, caller, "GET", {"url": path})
        assert answer.status_code == 200
        assert tenants.foreign not in answer.text


FORBIDDEN_FIELDS = {
    "tier": "enterprise",
    "account": 1,
    "account_id": 1,
    "role": "admin",
    "is_staff": True,
    "is_superuser": True,
    "owner": "x",
    "digest": "0" * 64,
    "lineage": str(uuid.UUID(int=1)),
    "id": str(uuid.UUID(int=1)),
    "quota": 10**6,
    "revoked_at": None,
    "last_used_at": None,
    "created_by": 1,
}


@pytest.mark.parametrize("field", FORBIDDEN_FIELDS)
def test_422_for_a_field_that_is_not_the_callers_to_set(tenants: Tenants, field: str) -> None:
    own = tenants.callers["key"]["X-API-Key"].split("_")[2]
    for method, path in (
        ("POST", "/auth/register"),
        ("PATCH", f"/auth/keys/{own}"),
        ("POST", "/auth/rotate-key"),
        ("POST", "/auth/ws-ticket"),
    ):
        body = {field: FORBIDDEN_FIELDS[field]}
        answer = _ask(tenants, "key", method, {"url": path, "json": body})
        assert answer.status_code == 422, (method, path, answer.text)
        assert answer.json()["errors"][0]["pointer"] == f"/{field}"


KEY_FIELDS = {
    "id",
    "name",
    "state",
    "environment",
    "tier",
    "scopes",
    "networks",
    "created_at",
    "created_by",
    "expires_at",
    "revoked_at",
    "last_used_at",
    "last_used_address",
    "last_used_agent",
    "rotated_from",
    "rotated_to",
}


def test_answers_have_the_fields_of_the_contract_and_no_others(tenants: Tenants) -> None:
    listed = _ask(tenants, "person", "GET", {"url": "/auth/keys"}).json()
    assert set(listed) == {"data", "has_more", "next"}
    assert {frozenset(one) for one in listed["data"]} == {frozenset(KEY_FIELDS)}
    made = _ask(tenants, "person", "POST", {"url": "/auth/register", "json": {}}).json()
    assert set(made) == KEY_FIELDS | {"key"}
    profile = _ask(tenants, "person", "GET", {"url": "/auth/profile"}).json()
    fields = {"account", "caller", "tier", "scopes", "limits", "sockets", "days", "usage"}
    assert set(profile) == fields
