"""The admin's login: guarded by the same counters as the API's, failures counted, refusals as pages."""

from __future__ import annotations

import logging

import pytest
from django.test import Client
from pytest_django import Settings

from accounts import failures, guards
from accounts.models import AuthenticationFailure, User
from observability.outages import Outage
from tests.accounts.admin.conftest import Staff, events

LOGIN = "/admin/login/"
PASSWORD = "a-long-enough-password-7"


@pytest.fixture
def ann(db: None, settings: Settings) -> User:
    """A member of staff with a password, cheap to check."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user("ann", password=PASSWORD, role="viewer", is_staff=True)


def send(
    client: Client, username: str = "ann", password: str = PASSWORD, address: str = "203.0.113.7"
) -> int:
    """Try to log in; the status."""
    form = {"username": username, "password": password}
    return client.post(LOGIN, form, REMOTE_ADDR=address).status_code


def test_302_with_an_event_for_the_right_password(ann: User, client: Client) -> None:
    assert send(client) == 302
    assert [event.actor for event in events("user.admin_login")] == ["user ann"]
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("case", ["password", "name", "not staff", "switched off"])
def test_200_with_the_form_and_a_counted_failure_for_anything_else(
    case: str, ann: User, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    failures.flush()
    AuthenticationFailure.objects.all().delete()
    User.objects.filter(pk=ann.pk).update(is_staff=case != "not staff", is_active=case != "switched off")
    with caplog.at_level(logging.INFO):
        status = send(
            client,
            username="nobody" if case == "name" else "ann",
            password="wrong" if case == "password" else PASSWORD,
        )
    assert status == 200
    failures.flush()
    (failure,) = AuthenticationFailure.objects.all()
    assert (failure.reason, failure.address, failure.count) == ("admin-login", "203.0.113.7", 1)
    assert PASSWORD not in caplog.text
    assert not events("user.admin_login")


def test_429_as_a_page_after_too_many_attempts_at_a_name(
    ann: User, client: Client, settings: Settings
) -> None:
    for number in range(settings.GATEWAY.login_attempts_per_minute):
        assert send(client, password="wrong", address=f"198.51.100.{number}") == 200
    form = {"username": "ann", "password": PASSWORD}
    response = client.post(LOGIN, form, REMOTE_ADDR="198.51.100.99")
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 60
    assert response["Content-Type"].startswith("text/html")
    assert "Too many attempts" in response.content.decode()
    assert client.get(LOGIN).status_code == 200


def test_429_after_too_many_attempts_from_an_address(ann: User, client: Client, settings: Settings) -> None:
    for number in range(10 * settings.GATEWAY.login_attempts_per_minute):
        assert send(client, username=f"name{number}") == 200
    assert send(client) == 429
    assert send(client, address="198.51.100.1") == 302


def test_503_as_a_page_while_attempts_cannot_be_counted(
    ann: User, client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "_outage", Outage("the counter", retry_after_s=0))
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }
    response = client.post(LOGIN, {"username": "ann", "password": PASSWORD})
    assert response.status_code == 503
    assert response["Retry-After"]
    assert "Nobody can log in just now" in response.content.decode()


def test_429_when_ones_own_password_is_guessed_in_a_session_that_was_left_open(
    staff: Staff, settings: Settings
) -> None:
    client = staff("viewer")
    sent = {"old_password": "guess", "new_password1": PASSWORD, "new_password2": PASSWORD}
    for _ in range(settings.GATEWAY.login_attempts_per_minute):
        assert client.post("/admin/password_change/", sent).status_code == 200
    assert client.post("/admin/password_change/", sent).status_code == 429


@pytest.mark.parametrize(("debug", "label"), [(True, "development"), (False, "production")])
def test_every_page_says_which_environment_it_is(
    debug: bool, label: str, staff: Staff, settings: Settings
) -> None:
    settings.DEBUG = debug
    assert label in staff("viewer").get("/admin/").content.decode()


def test_the_search_finds_things_and_keeps_nothing(staff: Staff) -> None:
    client = staff("viewer")
    assert client.get("/admin/search/?s=").content == b""
    assert "enterprise" in client.get("/admin/search/?s=enterp&extended=1").content.decode()
    assert "Tiers" in client.get("/admin/search/?s=tier").content.decode()
    User.objects.filter(username="the-viewer").update(is_staff=False)
    assert client.get("/admin/search/?s=enterp&extended=1").status_code == 302
