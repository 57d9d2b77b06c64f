"""`POST /auth/register`: a new key for those who may have one, its secret in that answer alone."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import redis
from django.utils import timezone
from pytest_django import Settings

from accounts import actions
from accounts.credentials import authenticate
from accounts.models import Account, ApiKey, AuditEvent, Tier, default_scopes
from accounts.roles import ROLE_SCOPES
from tests.accounts.callers import NOBODY, call, error, key, person, pointers, read

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.accounts.callers")]

ROUTE = "/auth/register"
PUBLIC_FIELDS = {
    "id", "name", "state", "environment", "tier", "scopes", "networks", "created_at", "created_by",
    "expires_at", "revoked_at", "last_used_at", "last_used_address", "last_used_agent", "rotated_from",
    "rotated_to",
}  # fmt: skip


@pytest.fixture
def open_to_strangers(settings: Settings, redis_client: redis.Redis) -> None:
    """A gateway where anybody may register."""
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, open_registration=True)


def test_201_a_person_gets_a_key_of_their_account_on_its_tier() -> None:
    ann = person("ann", "operator")
    response = call("POST", ROUTE, ann)
    made = read(response, 201)
    assert made.keys() == PUBLIC_FIELDS | {"key"}
    assert response["Location"] == f"/auth/keys/{made['id']}"
    assert (made["tier"], made["state"], made["created_by"]) == ("pro", "active", "ann")
    caller = authenticate(made["key"], now=timezone.now(), address="203.0.113.7")
    assert (caller.tier, caller.name) == ("pro", f"key {made['id']}")
    assert sorted(caller.scopes) == made["scopes"] == sorted(default_scopes())
    assert AuditEvent.objects.get(action="key.create").actor == "user ann"


def test_201_everything_that_can_be_chosen_is_as_chosen() -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    body = {
        "name": "Börse 1",
        "scopes": ["stream", "stream"],
        "networks": ["203.0.113.0/24", "2001:DB8::/32"],
        "expires_at": ends.astimezone().isoformat(),
        "environment": "test",
    }
    made = read(call("POST", ROUTE, person("ann", "operator"), body), 201)
    assert (made["name"], made["scopes"], made["environment"]) == ("Börse 1", ["stream"], "test")
    assert made["networks"] == ["203.0.113.0/24", "2001:db8::/32"]
    assert datetime.fromisoformat(made["expires_at"]) == ends
    assert made["key"].startswith("pgw_test_")


def test_201_a_viewer_gets_what_a_viewer_has() -> None:
    made = read(call("POST", ROUTE, person("vic")), 201)
    assert set(made["scopes"]) == ROLE_SCOPES["viewer"]


def test_201_a_key_with_keys_write_registers_further_ones() -> None:
    holder = key("keys:write", "stream")
    made = read(call("POST", ROUTE, holder, {"expires_at": None}), 201)
    assert (made["scopes"], made["created_by"]) == (["stream"], None)
    assert AuditEvent.objects.filter(actor=f"key {holder}", action="key.create").count() == 1


def test_the_secret_is_in_that_answer_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ann = person("ann", "admin")
    secret = read(call("POST", ROUTE, ann), 201)["key"]
    shown = [call("GET", path, ann).content.decode() for path in ("/auth/keys", "/auth/profile")]
    rows = repr([list(model.objects.values()) for model in (ApiKey, AuditEvent)])
    digest = ApiKey.objects.get().digest
    for text in (*shown, rows, caplog.text):
        assert secret not in text
    for text in (*shown, caplog.text):
        assert digest not in text


@pytest.mark.parametrize("body", [{"scopes": ["admin"]}, {"scopes": ["stream", "keys:write"]}])
def test_403_nobody_gives_away_scopes_that_they_do_not_have(
    body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    monkeypatch.setattr("accounts.failures.count", lambda **refusal: counted.append(refusal["reason"]))
    response = call("POST", ROUTE, person("vic"), body)
    assert error(response) == (403, "SCOPE_MISSING")
    assert body["scopes"][-1] in response.content.decode()
    assert not ApiKey.objects.exists()
    assert counted == ["scope"]


def test_403_a_key_without_keys_write_registers_none() -> None:
    assert error(call("POST", ROUTE, key())) == (403, "SCOPE_MISSING")
    assert ApiKey.objects.count() == 1


def test_403_an_account_whose_tier_has_no_keys() -> None:
    ann = person("ann")
    Account.objects.update(tier=Tier.objects.get(name="anonymous"))
    assert error(call("POST", ROUTE, ann)) == (403, "FORBIDDEN")


def test_409_beyond_a_hundred_usable_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MOST_KEYS", 2)
    ann = person("ann")
    ended = read(call("POST", ROUTE, ann), 201)
    read(call("POST", ROUTE, ann), 201)
    assert error(call("POST", ROUTE, ann)) == (409, "TOO_MANY_KEYS")
    assert call("DELETE", f"/auth/revoke?key={ended['id']}", ann).status_code == 204
    read(call("POST", ROUTE, ann), 201)


_WRONG: list[tuple[object, str]] = [
    ([], "/non_field_errors"),
    ("text", "/non_field_errors"),
    ({"tier": "enterprise"}, "/tier"),
    ({"account": "other"}, "/account"),
    ({"role": "admin"}, "/role"),
    ({"id": "x"}, "/id"),
    ({"created_by": "root"}, "/created_by"),
    ({"name": 7}, "/name"),
    ({"name": None}, "/name"),
    ({"name": "n" * 101}, "/name"),
    ({"name": "two\nlines"}, "/name"),
    ({"name": "a\0b"}, "/name"),
    ({"name": "\ud800"}, "/name"),
    ({"scopes": []}, "/scopes"),
    ({"scopes": "stream"}, "/scopes"),
    ({"scopes": {"stream": 1}}, "/scopes"),
    ({"scopes": ["stream"] * 9}, "/scopes"),
    ({"scopes": ["everything"]}, "/scopes/0"),
    ({"scopes": ["stream", 7]}, "/scopes/1"),
    ({"scopes": [["stream"]]}, "/scopes/0"),
    ({"networks": "203.0.113.0/24"}, "/networks"),
    ({"networks": ["203.0.113.1/24"]}, "/networks"),
    ({"networks": ["home"]}, "/networks"),
    ({"networks": [7]}, "/networks/0"),
    ({"networks": ["203.0.113.7"] * 51}, "/networks"),
    ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
    ({"expires_at": "2999-01-01T00:00:00"}, "/expires_at"),
    ({"expires_at": "2999-01-01"}, "/expires_at"),
    ({"expires_at": "9999-12-31T23:59:59-14:00"}, "/expires_at"),
    ({"expires_at": "0001-01-01T00:00:00+14:00"}, "/expires_at"),
    ({"expires_at": 4_000_000_000}, "/expires_at"),
    ({"expires_at": ""}, "/expires_at"),
    ({"environment": "prod"}, "/environment"),
    ({"environment": ["live"]}, "/environment"),
    ({"environment": None}, "/environment"),
]


@pytest.mark.parametrize(("body", "pointer"), _WRONG)
def test_422_says_which_field_is_wrong(body: object, pointer: str) -> None:
    response = call("POST", ROUTE, person("ann", "admin"), body)
    assert error(response) == (422, "INVALID_BODY")
    assert pointer in pointers(response)
    assert not ApiKey.objects.exists()


def test_422_repeats_no_long_text_and_no_long_list() -> None:
    response = call("POST", ROUTE, person("ann"), {"environment": "x" * 9999, "scopes": ["y" * 9999]})
    assert error(response) == (422, "INVALID_BODY")
    assert len(response.content) < 2000
    many = {"scopes": ["y"] * 50_000, "networks": ["y"] * 50_000}
    assert len(call("POST", ROUTE, person("bob"), many).content) < 2000


@pytest.mark.parametrize("body", [b"{", b"no json", b"\xff", b"[" * 100_000, b'{"name": NaN}'])
def test_400_what_is_no_json_is_not_read(body: bytes) -> None:
    assert error(call("POST", ROUTE, person("ann"), body)) == (400, "PARSE_ERROR")


def test_415_and_405_forms_and_other_methods_are_refused() -> None:
    ann = person("ann")
    form = call("POST", ROUTE, ann, b"name=x", content_type="text/plain")
    assert error(form) == (415, "UNSUPPORTED_MEDIA_TYPE")
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        assert error(call(method, ROUTE, ann)) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("anonymous_access", [True, False])
def test_401_strangers_register_only_where_it_is_open(settings: Settings, anonymous_access: bool) -> None:
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, anonymous_access=anonymous_access)
    response = call("POST", ROUTE, NOBODY)
    assert error(response) == (401, "NOT_AUTHENTICATED")
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert not Account.objects.exists()


@pytest.mark.parametrize("anonymous_access", [True, False])
def test_201_a_stranger_gets_an_account_of_their_own_on_tier_free(
    open_to_strangers: None, settings: Settings, anonymous_access: bool
) -> None:
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, anonymous_access=anonymous_access)
    made = [read(call("POST", ROUTE, NOBODY, {"name": "mine"}), 201) for _ in range(2)]
    assert [one["tier"] for one in made] == ["free", "free"]
    assert made[0]["scopes"] == sorted(default_scopes())
    assert Account.objects.filter(tier__name="free").count() == 2
    events = AuditEvent.objects.order_by("id").values_list("actor", "action")
    assert list(events) == [("anonymous", "account.create"), ("anonymous", "key.create")] * 2
    caller = authenticate(made[0]["key"], now=timezone.now(), address="203.0.113.7")
    assert caller.account_id == Account.objects.order_by("id")[0].pk


def test_403_a_stranger_gets_no_more_than_the_default_scopes(open_to_strangers: None) -> None:
    assert error(call("POST", ROUTE, NOBODY, {"scopes": ["keys:write"]})) == (403, "SCOPE_MISSING")
    assert not Account.objects.exists()


def test_401_a_bad_credential_is_no_stranger(open_to_strangers: None) -> None:
    response = call("POST", ROUTE, NOBODY, headers={"X-API-Key": "junk"})
    assert error(response) == (401, "INVALID_CREDENTIAL")


def test_429_strangers_by_address(open_to_strangers: None, settings: Settings) -> None:
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, login_attempts_per_minute=2)
    statuses = [call("POST", ROUTE, NOBODY, REMOTE_ADDR="203.0.113.7").status_code for _ in range(2)]
    assert statuses == [201, 201]
    response = call("POST", ROUTE, NOBODY, REMOTE_ADDR="203.0.113.7")
    assert error(response) == (429, "TOO_MANY_ATTEMPTS")
    assert 1 <= int(response["Retry-After"]) <= 3600
    assert call("POST", ROUTE, NOBODY, REMOTE_ADDR="203.0.113.8").status_code == 201
