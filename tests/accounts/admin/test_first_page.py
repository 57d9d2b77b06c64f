"""The first page: the numbers of whoever is on duty, by a bounded number of queries."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import actions
from accounts.models import Account, ApiKey, AuthenticationFailure, UsageHour
from tests.accounts.admin.conftest import Staff, World


def cards(client: Client) -> dict[str, str]:
    """Titles and numbers."""
    text = client.get("/admin/").content.decode()
    titles = re.findall(r'pgw-card-title">([^<]+)<', text)
    return dict(zip(titles, re.findall(r'pgw-card-number">([^<]+)<', text), strict=True))


def test_the_cards_count_what_happened(world: World, staff: Staff) -> None:
    now = timezone.now()
    UsageHour.objects.create(
        hour=world.usage.hour,
        account_id=0,
        route="predictions",
        status_class=5,
        calls=1500,
        errors=4,
        throttled=5,
        latency_sum_ms=1,
        latency_max_ms=1,
        bytes_out=1,
    )
    ending = actions.issue_key(
        account=world.account, tier=world.account.tier, actor="command x", now=now, name="ending"
    ).key
    ApiKey.objects.filter(pk=ending.pk).update(expires_at=now + timedelta(days=6))
    AuthenticationFailure.objects.create(
        minute=now - timedelta(hours=2), reason="unknown", address="203.0.113.7", count=100
    )
    client = staff("viewer")
    assert cards(client) == {
        "Active keys": "2",
        "Calls this hour": "1,507",
        "Throttled": "5",
        "Server errors": "4",
        "Refused credentials": "3",
        "Keys that end soon": "1",
    }
    text = client.get("/admin/").content.decode()
    assert "anonymous callers" in text
    assert "checksum" in text
    assert "1,507 calls in the last 24 hours, 5 of them throttled and 4 failed" in text
    assert 'aria-labelledby="pgw-chart-title pgw-chart-text"' in text


def test_the_first_page_of_an_empty_gateway(staff: Staff) -> None:
    client = staff("viewer")
    assert set(cards(client).values()) == {"0"}
    assert "No calls in the last 24 hours." in client.get("/admin/").content.decode()


@pytest.mark.parametrize("number", [1, 12])
def test_the_first_page_takes_the_same_queries_however_much_there_is(
    number: int, world: World, staff: Staff, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    now = timezone.now()
    for place in range(number):
        account = Account.objects.create(name=f"account {place}", tier=world.account.tier)
        key = actions.issue_key(
            account=account, tier=account.tier, actor="command x", now=now, expires_at=now + timedelta(days=1)
        ).key
        UsageHour.objects.create(
            hour=world.usage.hour - timedelta(hours=place),
            account_id=account.pk,
            key_id=key.pk,
            route="predictions",
            status_class=2,
            calls=1,
            errors=0,
            throttled=0,
            latency_sum_ms=1,
            latency_max_ms=1,
            bytes_out=1,
        )
    client = staff("viewer")
    # Session, user; keys, hours, failures, keys that end, busiest accounts and their names.
    with django_assert_num_queries(8):
        assert client.get("/admin/").status_code == 200
