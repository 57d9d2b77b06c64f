"""The page of the dashboard: which key it holds, and that nothing but a harmless one ever gets into it."""

from __future__ import annotations

import logging
import re

import msgspec
import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import directory, visitors
from accounts.directory import Directory
from tests.accounts.test_visitors import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_directory(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """A directory that other tests do not know, and no client that looks for all static files first."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    monkeypatch.setattr(directory, "_directory", Directory())


def shown_key(settings: Settings, key: str) -> str:
    """The key in the page where DASHBOARD_KEY is `key`."""
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, dashboard_key=key)
    page = Client().get("/")
    assert page.status_code == 200
    text = page.content.decode()
    assert "pgw_live_" not in re.sub(r'data-key="[^"]*"|placeholder="[^"]*"', "", text)
    return text.partition('data-key="')[2].partition('"')[0]


def test_200_with_the_key_that_everybody_may_see(settings: Settings) -> None:
    key = visitors.issue_visitors_key(actor="test", now=timezone.now()).secret
    assert shown_key(settings, key) == key


def test_200_without_a_key_where_there_is_none(settings: Settings) -> None:
    assert shown_key(settings, "") == ""


def test_200_without_the_key_where_it_can_do_more(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    key = make("predictions:read", "keys:write")
    with caplog.at_level(logging.WARNING):
        assert shown_key(settings, key) == ""
    assert "DASHBOARD_KEY is not shown: it has scopes" in caplog.text
    assert key not in caplog.text


def test_200_without_the_key_while_nobody_can_say_what_it_may_do(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = visitors.issue_visitors_key(actor="test", now=timezone.now()).secret

    def fail(_key: str) -> None:
        raise DatabaseError

    monkeypatch.setattr(visitors, "why_not_shown", fail)
    assert shown_key(settings, key) == ""


def test_nobody_keeps_the_page() -> None:
    assert "no-store" in Client().get("/")["Cache-Control"]


def test_the_first_calls_are_at_start_and_link_here() -> None:
    page = Client().get("/start").content.decode()
    assert 'href="/"' in page
    assert "/api/prediction/AAPL" in page


def test_405_for_a_form_that_is_sent() -> None:
    assert Client().post("/").status_code == 405
