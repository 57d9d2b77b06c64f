"""The key that everybody may see: what it may do, how it is made, and which keys are never shown."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts import directory, visitors
from accounts.actions import issue_key, revoke_key
from accounts.credentials import authenticate
from accounts.directory import Directory
from accounts.models import Account, ApiKey, AuditEvent, Limit, Tier
from accounts.roles import SCOPES

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that other tests do not know."""
    monkeypatch.setattr(directory, "_directory", Directory())


def make(*scopes: str, tier_name: str = "dashboard") -> str:
    """A key with `scopes`."""
    tier, _ = Tier.objects.get_or_create(name=tier_name)
    account, _ = Account.objects.get_or_create(name="somebody", defaults={"tier": tier})
    return issue_key(account=account, tier=tier, actor="test", now=timezone.now(), scopes=scopes).secret


def test_the_command_prints_a_key_with_account_and_tier_of_its_own() -> None:
    printed, told = io.StringIO(), io.StringIO()
    call_command("dashboard_key", stdout=printed, stderr=told)
    secret = printed.getvalue().splitlines()[-1]
    caller = authenticate(secret, now=timezone.now(), address="203.0.113.7")
    assert (caller.tier, caller.scopes) == ("dashboard", visitors.SCOPES)
    assert caller.account_id == Account.objects.get(name="dashboard").pk
    assert "can see it" in told.getvalue()
    assert secret not in told.getvalue()


def test_each_visitor_is_limited_by_address_and_orders_more_than_reads() -> None:
    visitors.issue_visitors_key(actor="test", now=timezone.now())
    rows = Limit.objects.filter(tier__name="dashboard")
    assert {limit.scope for limit in rows} == {"ip"}
    assert {limit.route for limit in rows} == {"", "explanation"}


def test_limits_that_staff_have_changed_stay_and_the_tier_is_noted_once() -> None:
    visitors.issue_visitors_key(actor="test", now=timezone.now())
    Limit.objects.filter(tier__name="dashboard", name="visitor").update(quota=1)
    visitors.issue_visitors_key(actor="test", now=timezone.now())
    assert Limit.objects.get(tier__name="dashboard", name="visitor").quota == 1
    assert AuditEvent.objects.filter(action="tier.create").count() == 1
    assert ApiKey.objects.filter(account__name="dashboard").count() == 2


def test_its_own_key_may_be_shown() -> None:
    key = visitors.issue_visitors_key(actor="test", now=timezone.now()).secret
    assert visitors.why_not_shown(key) is None


@pytest.mark.parametrize("scope", sorted(set(SCOPES) - visitors.SCOPES))
def test_a_key_with_any_other_scope_is_never_shown(scope: str) -> None:
    reason = visitors.why_not_shown(make("predictions:read", scope))
    assert reason == f"it has scopes that not everybody may have: {scope}"


def test_the_key_of_a_customer_is_never_shown() -> None:
    reason = visitors.why_not_shown(make("predictions:read", tier_name="pro"))
    assert reason == "it is not on the tier dashboard, whose limits are those of an address"


def test_sockets_are_those_of_the_account_and_of_a_key_that_many_share_those_of_each_address() -> None:
    shared = authenticate(make("stream"), now=timezone.now(), address="203.0.113.7")
    own = authenticate(make("stream", tier_name="pro"), now=timezone.now(), address="203.0.113.7")
    account = f"{own.account_id}"
    assert visitors.holder_of_sockets(own, "203.0.113.7", None) == (account, None)
    assert visitors.holder_of_sockets(own, "203.0.113.7", 50) == (account, 50)
    assert visitors.holder_of_sockets(shared, "203.0.113.7", None) == (f"{account}:203.0.113.7", 20)
    assert visitors.holder_of_sockets(shared, "203.0.113.8", 5) == (f"{account}:203.0.113.8", 5)


def test_a_key_that_is_not_known_is_not_shown() -> None:
    key = make("predictions:read")
    ApiKey.objects.all().delete()
    assert visitors.why_not_shown(key) == "it is not known here"


def test_a_key_that_has_ended_opens_nothing_and_may_be_shown() -> None:
    issued = visitors.issue_visitors_key(actor="test", now=timezone.now())
    revoke_key(key=issued.key, actor="test", now=timezone.now())
    assert visitors.why_not_shown(issued.secret) is None


def test_the_audit_tells_the_limits_of_the_new_tier() -> None:
    visitors.issue_visitors_key(actor="command up", now=timezone.now())
    event = AuditEvent.objects.get(action="tier.create")
    assert event.actor == "command up"
    assert json.dumps(event.detail).count('"scope": "ip"') == 2
