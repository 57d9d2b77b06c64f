"""`POST /auth/rotate-key`, `DELETE /auth/revoke` and `POST /auth/ws-ticket`, status by status."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.utils import timezone

from accounts import actions, tickets
from accounts.credentials import CredentialRefused, authenticate
from accounts.models import ApiKey, AuditEvent
from tests.accounts.callers import NO_ID, NOBODY, Holder, call, error, key, person, pointers, read, row

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.accounts.callers")]

HERE = "203.0.113.7"


def rotate(who: Holder, **body: Any) -> Any:
    """The answer to a rotation."""
    return call("POST", "/auth/rotate-key", who, body)


def revoke(who: Holder, which: object = None) -> Any:
    """The answer to a revocation."""
    return call("DELETE", "/auth/revoke" + (f"?key={which}" if which is not None else ""), who)


def works(secret: str) -> bool:
    """True if a call with this key is let in."""
    try:
        authenticate(secret, now=timezone.now(), address=HERE)
    except CredentialRefused:
        return False
    return True


def test_201_a_key_rotates_itself_and_lives_on_for_a_day() -> None:
    holder = key("stream", name="bot", networks=["127.0.0.0/8", HERE])
    before = timezone.now()
    response = call("POST", "/auth/rotate-key", holder)
    made = read(response, 201)
    assert response["Location"] == f"/auth/keys/{made['id']}"
    assert (made["rotated_from"], made["rotated_to"]) == (str(holder), None)
    assert [made[name] for name in ("name", "tier", "scopes")] == ["bot", "pro", ["stream"]]
    assert made["networks"] == ["127.0.0.0/8", HERE]
    ends = datetime.fromisoformat(made["old_key_ends_at"])
    assert timedelta(0) <= ends - before - timedelta(hours=24) < timedelta(minutes=1)
    assert works(made["key"])
    assert works(holder.headers["X-API-Key"])
    event = AuditEvent.objects.get(action="key.rotate")
    assert (event.actor, event.detail["successor"]) == (f"key {holder}", made["id"])


@pytest.mark.parametrize(("overlap", "lives"), [("0", False), ("1h", True), ("24h", True), ("7d", True)])
def test_201_the_overlap_is_chosen(overlap: str, lives: bool) -> None:
    person("ann", "operator")
    holder = key(by="ann")
    made = read(rotate(holder, key=str(holder), overlap=overlap), 201)
    left = datetime.fromisoformat(made["old_key_ends_at"]) - timezone.now()
    assert abs(left - actions.OVERLAPS[overlap]) < timedelta(minutes=1)
    assert works(holder.headers["X-API-Key"]) is lives
    assert made["created_by"] == "ann"


def test_201_the_old_key_does_not_live_longer_than_it_would_have() -> None:
    ends = timezone.now() + timedelta(hours=2)
    made = read(rotate(key(expires_at=ends), overlap="7d"), 201)
    assert datetime.fromisoformat(made["old_key_ends_at"]) == ends
    assert datetime.fromisoformat(made["expires_at"]) == ends


def test_the_secret_of_a_rotation_is_in_that_answer_alone() -> None:
    ann = person("ann", "operator")
    made = read(rotate(ann, key=str(key())), 201)
    for path in ("/auth/keys", f"/auth/keys/{made['id']}"):
        assert made["key"] not in call("GET", path, ann).content.decode()
    assert made["key"] not in repr([list(model.objects.values()) for model in (ApiKey, AuditEvent)])


def test_403_rotation_gives_no_secret_of_a_key_that_may_do_more_than_the_caller() -> None:
    strong, manager = key("admin", "stream"), key("keys:write", "stream")
    for who in (person("ann", "operator"), manager):
        assert error(rotate(who, key=str(strong))) == (403, "SCOPE_MISSING")
    assert read(rotate(person("root", "admin"), key=str(strong)), 201)["scopes"] == ["admin", "stream"]


def test_403_a_person_who_came_down_does_not_get_at_the_key_they_made_before() -> None:
    vic = person("vic")
    mine = key("keys:write", "stream", by="vic")
    assert error(rotate(vic, key=str(mine))) == (403, "SCOPE_MISSING")
    assert revoke(vic, mine).status_code == 204


def test_409_a_key_is_rotated_once_and_only_while_it_is_usable() -> None:
    ann, holder = person("ann", "operator"), key()
    read(rotate(ann, key=str(holder)), 201)
    assert error(rotate(ann, key=str(holder))) == (409, "KEY_ALREADY_ROTATED")
    assert error(rotate(holder)) == (409, "KEY_ALREADY_ROTATED")
    ended = key()
    assert revoke(ann, ended).status_code == 204
    assert error(rotate(ann, key=str(ended))) == (409, "KEY_NOT_USABLE")


def test_409_rotation_does_not_fill_the_account_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MOST_KEYS", 2)
    ann, newest = person("ann", "operator"), str(key())
    for _ in range(3):
        newest = read(rotate(ann, key=newest), 201)["id"]
    assert error(rotate(ann, key=newest)) == (409, "TOO_MANY_KEYS")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/key"),
        ({"key": 7}, "/key"),
        ({"key": None}, "/key"),
        ({"key": ""}, "/key"),
        ({"key": NO_ID, "overlap": "2h"}, "/overlap"),
        ({"key": NO_ID, "overlap": 0}, "/overlap"),
        ({"key": NO_ID, "overlap": ["0"]}, "/overlap"),
        ({"key": NO_ID, "tier": "enterprise"}, "/tier"),
        ({"key": NO_ID, "scopes": ["admin"]}, "/scopes"),
    ],
)
def test_422_a_rotation_of_nothing_or_with_what_is_not_its_business(
    body: dict[str, Any], pointer: str
) -> None:
    response = rotate(person("ann", "admin"), **body)
    assert error(response) == (422, "INVALID_BODY")
    assert pointers(response) == [pointer]


def test_404_rotation_and_revocation_of_what_is_not_the_callers() -> None:
    ann, foreign = person("ann", "admin"), key(of="another account")
    for public_id in (str(foreign), NO_ID, "junk"):
        assert error(rotate(ann, key=public_id)) == (404, "UNKNOWN_KEY")
        assert error(revoke(ann, public_id)) == (404, "UNKNOWN_KEY")
    assert works(foreign.headers["X-API-Key"])


def test_204_a_key_revokes_itself_and_is_refused_from_then_on() -> None:
    holder = key()
    response = revoke(holder)
    assert (response.status_code, response.content, response["Cache-Control"]) == (204, b"", "no-store")
    assert error(revoke(holder)) == (401, "INVALID_CREDENTIAL")
    assert AuditEvent.objects.get(action="key.revoke").actor == f"key {holder}"


def test_204_revoking_twice_is_no_mistake_and_is_audited_once() -> None:
    ann, holder = person("ann", "operator"), key()
    assert [revoke(ann, holder).status_code for _ in range(2)] == [204, 204]
    assert row(holder).state(timezone.now()) == "revoked"
    assert AuditEvent.objects.filter(action="key.revoke").count() == 1


@pytest.mark.parametrize("query", ["", "?key=", "?kye=x", f"?key={NO_ID}&key={NO_ID}"])
def test_400_revocation_does_not_guess_which_key_is_meant(query: str) -> None:
    assert error(call("DELETE", f"/auth/revoke{query}", person("ann"))) == (400, "INVALID_QUERY")


@pytest.mark.parametrize("query", ["?kye=x", "?key="])
def test_400_a_mistyped_query_does_not_revoke_the_calling_key(query: str) -> None:
    holder = key()
    assert error(call("DELETE", f"/auth/revoke{query}", holder)) == (400, "INVALID_QUERY")
    assert works(holder.headers["X-API-Key"])


def test_422_a_key_that_is_named_in_a_body_does_not_revoke_the_calling_one() -> None:
    manager, other = key("keys:write"), key()
    response = call("DELETE", "/auth/revoke", manager, {"key": str(other)})
    assert error(response) == (422, "INVALID_BODY")
    assert works(manager.headers["X-API-Key"])


@pytest.mark.parametrize("who", ["key", "person"])
def test_201_a_ticket_stands_for_its_caller_once(who: str, redis_client: redis.Redis) -> None:
    holder = key("stream") if who == "key" else person("ann")
    made = read(call("POST", "/auth/ws-ticket", holder), 201)
    assert made.keys() == {"ticket", "expires_in"}
    assert made["expires_in"] == 30
    caller = tickets.redeem(made["ticket"], now=timezone.now(), address=HERE)
    assert caller.name == (f"key {holder}" if who == "key" else "user ann")
    with pytest.raises(CredentialRefused):
        tickets.redeem(made["ticket"], now=timezone.now(), address=HERE)


def test_403_a_ticket_needs_the_scope_stream() -> None:
    assert error(call("POST", "/auth/ws-ticket", key("predictions:read"))) == (403, "SCOPE_MISSING")


def test_422_a_ticket_takes_no_wishes(redis_client: redis.Redis) -> None:
    assert error(call("POST", "/auth/ws-ticket", key(), {"expires_in": 3600})) == (422, "INVALID_BODY")


def test_503_no_tickets_while_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = redis.Redis.from_url("redis://127.0.0.1:1/0")
    monkeypatch.setattr(tickets, "_redis", lambda: nowhere)
    response = call("POST", "/auth/ws-ticket", key("stream"))
    assert error(response) == (503, "STORE_UNAVAILABLE")
    assert response["Retry-After"] == "2"


def test_401_and_405_nobody_and_other_methods() -> None:
    for method, path in [
        ("POST", "/auth/rotate-key"),
        ("DELETE", "/auth/revoke"),
        ("POST", "/auth/ws-ticket"),
    ]:
        assert error(call(method, path, NOBODY)) == (401, "NOT_AUTHENTICATED")
        assert error(call("GET", path, key())) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("path", ["/auth/rotate-key", "/auth/ws-ticket"])
def test_400_what_is_no_json(path: str) -> None:
    assert error(call("POST", path, key(), b"{")) == (400, "PARSE_ERROR")
