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
from websockets.sync.client import ClientConnection, connect

from accounts import keys
from tests.explained import add_job
from tests.gateway_project.test_routes import walk
from tests.people import Key, add_key, add_user, bearer, log_in
from tests.stack import Stack, receive, send

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
    owner: Key

    @property
    def foreign(self) -> str:
        """How the other's key is called."""
        return self.owner.public_id


@pytest.fixture(scope="module")
def tenants(stack: Stack) -> Tenants:
    """An administrator and a managing key of one account, and a key of another."""
    manager = add_key(stack, "enterprise", scopes=json.dumps(["keys:write", "stream", "admin", *EXPLAIN]))
    admin = log_in(stack, add_user(stack, account=manager.account_id, role="admin"))
    owner = add_key(stack, "enterprise")
    add_job(stack, owner.account_id, owner.id)
    return Tenants(stack, {"key": manager.header, "person": bearer(admin)}, owner)


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


@pytest.mark.parametrize("caller", ["key", "person"])
def test_404_for_a_foreign_job_that_is_done_also_when_its_owner_has_just_been_told(
    tenants: Tenants, caller: str
) -> None:
    done, never = (
        add_job(tenants.stack, tenants.owner.account_id, is_done=True),
        uuid.uuid4(),
    )
    for _ in range(2):  # the process remembers what it has told the owner
        for method in ("GET", "DELETE"):
            foreign, absent = (
                _ask(tenants, caller, method, {"url": f"/api/explanation/job/{job}"}) for job in (done, never)
            )
            assert foreign.status_code == absent.status_code == 404
            assert _without(foreign, done) == _without(absent, never)
        for _ in range(2):
            url = f"{tenants.stack.base_url}/api/explanation/job/{done}"
            told = httpx.get(url, headers=tenants.owner.header)
            assert told.status_code == 200
            assert told.json()["contributions"]


@pytest.mark.parametrize("caller", ["key", "person"])
def test_a_foreign_job_that_is_done_is_unknown_to_a_watcher_also_when_its_owner_watches(
    tenants: Tenants, caller: str
) -> None:
    done, never = add_job(tenants.stack, tenants.owner.account_id, is_done=True), uuid.uuid4()
    url = tenants.stack.socket_url
    with (
        connect(url, additional_headers=tenants.callers[caller], close_timeout=1) as stranger,
        connect(url, additional_headers=tenants.owner.header, close_timeout=1) as owner,
    ):
        assert receive(stranger)["type"] == receive(owner)["type"] == "welcome"
        for _ in range(2):
            foreign, absent = _watch(stranger, done), _watch(stranger, never)
            assert foreign["code"] == "UNKNOWN_JOB"
            assert foreign == absent
            assert _watch(owner, done)["type"] == "explanation_completed"


def _watch(socket: ClientConnection, job: uuid.UUID) -> dict[str, Any]:
    send(socket, action="watch", job_id=str(job))
    return receive(socket)


def _ask(tenants: Tenants, caller: str, method: str, request: dict[str, Any]) -> httpx.Response:
    request = dict(request)
    url = tenants.stack.base_url + request.pop("url")
    return httpx.request(method, url, headers=tenants.callers[caller], timeout=60, **request)


def _comparable(answer: httpx.Response, id_: str) -> dict[str, Any]:
    return _without(answer, id_, keys.key_id_of(id_))


def _without(answer: httpx.Response, *ids: object) -> dict[str, Any]:
    """What is told, but for `ids` and what every answer has of its own."""
    text = answer.text
    for one in ids:
        text = text.replace(str(one), "ID")
    return {
        name: value for name, value in json.loads(text).items() if name not in ("request_id", "timestamp")
    }


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
