"""Login, refresh and logout over HTTP: every status, and one answer whatever is wrong with a credential.

Longer than most: the statuses of three routes that are used together.
"""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import redis
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from django.urls import path
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import guards, sessions, tokens
from accounts.login_views import LoginView, LogoutView, RefreshView
from accounts.models import Account, AuditEvent, Tier, TokenFamily, User
from observability.outages import Outage

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

urlpatterns = [
    path("auth/login", LoginView.as_view(), name="auth-login"),
    path("auth/refresh", RefreshView.as_view(), name="auth-refresh"),
    path("auth/logout", LogoutView.as_view(), name="auth-logout"),
]

PASSWORD = "correct horse battery"
GOOD = {"username": "ann", "password": PASSWORD}
ROUTES = ["/auth/login", "/auth/refresh", "/auth/logout"]


class CountingHasher(MD5PasswordHasher):
    """A fast hasher that counts how often it works."""

    algorithm = "counting"
    runs = 0

    def encode(self, password: str, salt: str) -> str:
        type(self).runs += 1
        return super().encode(password, salt)


@pytest.fixture(autouse=True)
def failed(settings: Settings, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Fast passwords, an empty Valkey as the cache, a clock for the guard that stands still; the failures."""
    settings.MIDDLEWARE = []
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    use(settings, settings.GATEWAY.redis_url)
    monkeypatch.setattr(guards, "_outage", Outage("the counter", retry_after_s=0))
    monkeypatch.setattr("django_ratelimit.core.time", SimpleNamespace(time=lambda: 1_767_225_600))
    noted: list[str] = []
    monkeypatch.setattr(
        "accounts.failures.count",
        lambda *, reason, key, address: noted.append(" ".join(filter(None, (reason, key, address)))),
    )
    return noted


@pytest.fixture
def user() -> User:
    """A person with an account."""
    account = Account.objects.create(name="desk", tier=Tier.objects.get(name="pro"))
    return User.objects.create_user("ann", password=PASSWORD, role="operator", account=account)


def use(settings: Settings, url: str) -> None:
    """Make the Redis at `url` the cache."""
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": url, "KEY_PREFIX": "pgw:guard"}}


def post(route: str, body: object = None, *, bearer: str | None = None, **extra: Any) -> Any:
    """POST `body` (bytes as they are, else as JSON)."""
    headers = {"User-Agent": "a browser"}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    data = body if isinstance(body, bytes) else json.dumps(body)
    if body is None:
        return Client().generic("POST", route, headers=headers, **extra)
    return Client().post(route, data, content_type="application/json", headers=headers, **extra)


def log_in() -> dict[str, Any]:
    """The pair of a good login."""
    response = post("/auth/login", GOOD)
    assert response.status_code == 200, response.content
    return read(response)


def read(response: Any) -> dict[str, Any]:
    """The body."""
    found: dict[str, Any] = json.loads(response.content)
    return found


def error(response: Any) -> tuple[int, str]:
    """Status and code of a problem, which must not be cached."""
    assert response["Content-Type"] == "application/problem+json"
    assert response["Cache-Control"] == "no-store"
    return response.status_code, read(response)["error"]


def stands(pair: dict[str, Any]) -> bool:
    """True if the login behind the access token of `pair` stands."""
    now = timezone.now()
    claims = tokens.verify_access_token(pair["access_token"], now=now)
    return sessions.find_session(claims.family_id, now=now) is not None


def test_200_login_gives_a_pair_of_tokens_that_no_cache_may_keep(user: User) -> None:
    response = post("/auth/login", GOOD)
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    assert not response.cookies
    pair = read(response)
    assert list(pair) == ["access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in"]
    assert (pair["token_type"], pair["expires_in"], pair["refresh_expires_in"]) == ("Bearer", 600, 2_592_000)
    assert stands(pair)
    assert TokenFamily.objects.get().agent == "a browser"


def test_200_login_does_not_look_at_other_credentials(user: User) -> None:
    assert post("/auth/login", GOOD, bearer="junk", HTTP_X_API_KEY="junk").status_code == 200


def test_200_login_keeps_spaces_of_a_password(user: User) -> None:
    user.set_password("  spaces  ")
    user.save()
    assert post("/auth/login", {"username": "ann", "password": "  spaces  "}).status_code == 200
    assert error(post("/auth/login", {"username": "ann", "password": "spaces"})) == (401, "LOGIN_FAILED")


def test_401_login_is_the_same_answer_and_work_whatever_is_wrong(
    user: User, failed: list[str], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    User.objects.create_user("off", password=PASSWORD, is_active=False)
    bodies = []
    for name, password in [("nobody", PASSWORD), ("ann", "wrong"), ("off", PASSWORD), ("off", "wrong")]:
        before = CountingHasher.runs
        with django_assert_num_queries(2):
            response = post("/auth/login", {"username": name, "password": password})
        assert CountingHasher.runs == before + 1
        assert error(response) == (401, "LOGIN_FAILED")
        assert response["WWW-Authenticate"] == 'Bearer realm="prediction-gateway"'
        bodies.append({**read(response), "timestamp": None})
    Account.objects.update(is_active=False)
    bodies.append({**read(post("/auth/login", GOOD)), "timestamp": None})
    assert bodies == bodies[:1] * 5
    assert failed == ["login 127.0.0.1"] * 5
    assert not TokenFamily.objects.exists()


def test_login_attempts_are_logged_without_passwords_and_without_names_that_do_not_exist(
    user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    pair = log_in()
    post("/auth/login", {"username": "ann", "password": "wrong-password"})
    post("/auth/login", {"username": "hunter2", "password": "wrong-password"})
    post("/auth/refresh", {"refresh_token": pair["refresh_token"]})
    post("/auth/refresh", {"refresh_token": pair["refresh_token"]})
    lines = [record.getMessage() for record in caplog.records if record.name == "accounts.login_views"]
    assert lines[0] == "authentication succeeded: login, user ann, from 127.0.0.1"
    assert lines[1] == "authentication failed: login, user ann, from 127.0.0.1"
    assert lines[2].startswith("authentication failed: login, user unknown-")
    assert lines[3] == "authentication failed: token, reused, from 127.0.0.1"
    rows = repr(list(AuditEvent.objects.values()))
    for secret in (PASSWORD, "wrong-password", "hunter2", pair["access_token"], pair["refresh_token"]):
        assert secret not in caplog.text
        assert secret not in rows


_LOGIN_ERRORS: list[tuple[object, str, str]] = [
    ({}, "/username", "required"),
    ([], "/non_field_errors", "invalid"),
    ("text", "/non_field_errors", "invalid"),
    ({**GOOD, "username": 7}, "/username", "invalid"),
    ({**GOOD, "username": True}, "/username", "invalid"),
    ({**GOOD, "password": 1.5}, "/password", "invalid"),
    ({**GOOD, "password": ["a"]}, "/password", "invalid"),
    ({**GOOD, "password": None}, "/password", "null"),
    ({**GOOD, "password": ""}, "/password", "blank"),
    ({**GOOD, "username": "u" * 151}, "/username", "max_length"),
    ({**GOOD, "password": "p" * 4097}, "/password", "max_length"),
    ({**GOOD, "username": "a\0b"}, "/username", "null_characters_not_allowed"),
    ({**GOOD, "password": "a\0b"}, "/password", "null_characters_not_allowed"),
    ({**GOOD, "username": "\ud800"}, "/username", "surrogate_characters_not_allowed"),
    ({**GOOD, "role": "admin"}, "/role", "unknown"),
]


@pytest.mark.parametrize(("body", "pointer", "code"), _LOGIN_ERRORS)
def test_422_login_says_which_field_is_wrong(user: User, body: object, pointer: str, code: str) -> None:
    response = post("/auth/login", body)
    assert error(response) == (422, "INVALID_BODY")
    assert (pointer, code) in [(found["pointer"], found["code"]) for found in read(response)["errors"]]
    assert PASSWORD not in response.content.decode()


def test_422_of_many_unknown_fields_shows_a_few() -> None:
    response = post("/auth/refresh", {"x" * 1000 + str(number): 1 for number in range(100)})
    assert error(response) == (422, "INVALID_BODY")
    assert len(response.content) < 4096


@pytest.mark.parametrize(
    "body", [{"refresh_token": 7}, {"refresh_token": None}, {"refresh_token": "x" * 5000}]
)
@pytest.mark.parametrize("route", ["/auth/refresh", "/auth/logout"])
def test_422_what_is_no_text_is_no_refresh_token(route: str, body: object) -> None:
    assert error(post(route, body)) == (422, "INVALID_BODY")


@pytest.mark.parametrize("everywhere", ["true", 1, None, []])
def test_422_logout_everywhere_is_true_or_false(user: User, everywhere: object) -> None:
    pair = log_in()
    body = {"refresh_token": pair["refresh_token"], "everywhere": everywhere}
    assert error(post("/auth/logout", body)) == (422, "INVALID_BODY")
    assert stands(pair)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("body", [b"{", b"no json", b"\xff", b"[" * 100_000, b'{"username": NaN}'])
def test_400_what_is_no_json_is_not_read(route: str, body: bytes) -> None:
    assert error(post(route, body)) == (400, "PARSE_ERROR")


@pytest.mark.parametrize("route", ROUTES)
def test_415_and_405_forms_and_other_methods_are_refused(route: str) -> None:
    assert error(Client().post(route, "a=b", content_type="text/plain")) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert error(Client().get(route)) == (405, "METHOD_NOT_ALLOWED")


def try_login(name: str, address: str) -> Any:
    """An attempt from `address` with the password of `user`."""
    return post("/auth/login", {**GOOD, "username": name}, REMOTE_ADDR=address)


def test_429_login_by_user_name_even_with_the_right_password(user: User, settings: Settings) -> None:
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, login_attempts_per_minute=3)
    statuses = [try_login(name, f"203.0.113.{i}").status_code for i, name in enumerate(["ann", "ANN", "Ann"])]
    assert statuses == [200, 401, 401]
    response = try_login("ann", "203.0.113.9")
    assert error(response) == (429, "TOO_MANY_ATTEMPTS")
    assert 1 <= int(response["Retry-After"]) == read(response)["retry_after"] <= 60
    assert try_login("bob", "203.0.113.9").status_code == 401


def test_429_login_by_address_at_ten_times_as_many(settings: Settings) -> None:
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, login_attempts_per_minute=1)
    statuses = [try_login(f"user{i}", "203.0.113.7").status_code for i in range(11)]
    assert statuses == [401] * 10 + [429]
    assert try_login("someone", "203.0.113.8").status_code == 401


def test_429_refresh_by_address(settings: Settings) -> None:
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, login_attempts_per_minute=1)
    statuses = [post("/auth/refresh", {"refresh_token": "x"}).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]


def test_503_login_and_refresh_stay_shut_while_attempts_cannot_be_counted(
    user: User, settings: Settings
) -> None:
    pair = log_in()
    use(settings, "redis://127.0.0.1:1/0")
    for response in (
        post("/auth/login", GOOD),
        post("/auth/refresh", {"refresh_token": pair["refresh_token"]}),
    ):
        assert error(response) == (503, "STORE_UNAVAILABLE")
        assert response["Retry-After"] == "2"
    # Whoever wants out gets out.
    assert post("/auth/logout", {"refresh_token": pair["refresh_token"]}).status_code == 204


def test_200_refresh_gives_the_next_pair_of_the_same_login(user: User) -> None:
    first = log_in()
    response = post("/auth/refresh", {"refresh_token": first["refresh_token"]})
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    second = read(response)
    assert second.keys() == first.keys()
    assert second["refresh_token"] != first["refresh_token"]
    assert stands(second)
    assert TokenFamily.objects.count() == 1


def test_401_refresh_of_a_used_token_ends_the_login_and_is_in_the_audit(user: User) -> None:
    first = log_in()
    second = read(post("/auth/refresh", {"refresh_token": first["refresh_token"]}))
    for pair in (first, second):
        response = post("/auth/refresh", {"refresh_token": pair["refresh_token"]})
        assert error(response) == (401, "INVALID_TOKEN")
        assert response["WWW-Authenticate"].startswith('Bearer realm="prediction-gateway"')
    assert not stands(second)
    assert AuditEvent.objects.filter(action="session.refresh_reused").count() == 1


def test_401_refresh_is_the_same_answer_whatever_is_wrong(user: User, failed: list[str]) -> None:
    used, ended = log_in(), log_in()
    post("/auth/refresh", {"refresh_token": used["refresh_token"]})
    assert post("/auth/logout", {"refresh_token": ended["refresh_token"]}).status_code == 204
    wrong = ["pgwr_" + "a" * 43, "junk", used["access_token"], used["refresh_token"], ended["refresh_token"]]
    answers = [read(post("/auth/refresh", {"refresh_token": token})) for token in wrong]
    assert [{**answer, "timestamp": None} for answer in answers] == [{**answers[0], "timestamp": None}] * 5
    assert failed == ["token 127.0.0.1"] * 5


def test_204_logout_by_refresh_token_ends_this_login_alone(user: User) -> None:
    here, there = log_in(), log_in()
    response = post("/auth/logout", {"refresh_token": here["refresh_token"]})
    assert (response.status_code, response.content, response["Cache-Control"]) == (204, b"", "no-store")
    assert (stands(here), stands(there)) == (False, True)
    for body in ({"refresh_token": here["refresh_token"]}, {"refresh_token": "junk"}):
        assert error(post("/auth/logout", body)) == (401, "INVALID_TOKEN")
    assert error(post("/auth/refresh", {"refresh_token": here["refresh_token"]})) == (401, "INVALID_TOKEN")


@pytest.mark.parametrize("body", [None, {}, {"everywhere": False}])
def test_204_logout_by_access_token_with_or_without_a_body(user: User, body: object) -> None:
    here, there = log_in(), log_in()
    assert post("/auth/logout", body, bearer=here["access_token"]).status_code == 204
    assert (stands(here), stands(there)) == (False, True)
    assert error(post("/auth/logout", body, bearer=here["access_token"])) == (401, "INVALID_TOKEN")


def test_204_logout_everywhere_by_either_token(user: User) -> None:
    for by_header in (True, False):
        here, there = log_in(), log_in()
        if by_header:
            response = post("/auth/logout", {"everywhere": True}, bearer=here["access_token"])
        else:
            response = post("/auth/logout", {"everywhere": True, "refresh_token": here["refresh_token"]})
        assert response.status_code == 204
        assert (stands(here), stands(there)) == (False, False)
    assert AuditEvent.objects.filter(action="session.logout_everywhere").count() == 2


def test_401_logout_without_a_token_or_with_one_that_is_none(user: User) -> None:
    assert error(post("/auth/logout", {})) == (401, "INVALID_TOKEN")
    for value in ("", "junk", "a.b.c", "pgw_live_" + "0" * 60):
        assert error(post("/auth/logout", {}, bearer=value)) == (401, "INVALID_TOKEN")
    assert error(post("/auth/logout", HTTP_AUTHORIZATION="Basic dTpw")) == (401, "INVALID_TOKEN")
    empty_form = {"CONTENT_TYPE": "application/x-www-form-urlencoded", "CONTENT_LENGTH": "0"}
    assert error(post("/auth/logout", **empty_form)) == (401, "INVALID_TOKEN")


def test_401_logout_with_an_access_token_of_another_user_for_this_login(user: User) -> None:
    pair = log_in()
    forged = tokens.issue_access_token(user.pk + 1, TokenFamily.objects.get().pk, now=timezone.now())
    assert error(post("/auth/logout", bearer=forged)) == (401, "INVALID_TOKEN")
    assert stands(pair)


def test_401_logout_with_the_token_of_a_login_that_a_new_password_has_ended(user: User) -> None:
    pair = log_in()
    user.set_password("a new password")
    user.save()
    assert error(post("/auth/logout", {"refresh_token": pair["refresh_token"]})) == (401, "INVALID_TOKEN")
    assert error(post("/auth/logout", bearer=pair["access_token"])) == (401, "INVALID_TOKEN")
