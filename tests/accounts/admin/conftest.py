"""Staff of every role, and one thing of every kind for them to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import pytest
import redis
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import actions, audit
from accounts.actions import IssuedKey
from accounts.models import (
    Account,
    AuditEvent,
    AuthenticationFailure,
    Limit,
    Tier,
    TokenFamily,
    UsageHour,
    User,
)
from explanations.models import Computation
from tests.explanations.orders import make_order


@dataclass
class World:
    """A row of every kind."""

    tier: Tier
    account: Account
    issued: IssuedKey
    limit: Limit
    person: User
    family: TokenFamily
    usage: UsageHour
    failure: AuthenticationFailure
    event: AuditEvent
    computation: Computation


@pytest.fixture(autouse=True)
def _own_surroundings(redis_client: redis.Redis, settings: Settings) -> None:
    """Attempts at logins begin at nought, NATS is away; no client looks for all static files first."""
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, nats_url="nats://127.0.0.1:1")
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


@pytest.fixture
def world(db: None) -> World:
    """A row of every kind; the tier is used by nothing."""
    now = timezone.now()
    pro = Tier.objects.get(name="pro")
    account = Account.objects.create(name="Acme", tier=pro)
    issued = actions.issue_key(account=account, tier=pro, actor="command test", now=now, name="web shop")
    person = User.objects.create(username="person", password="!")
    return World(
        tier=Tier.objects.create(name="unused"),
        account=account,
        issued=issued,
        limit=Limit.objects.create(name="flood", quota=1000, window_s=60, scope="global"),
        person=person,
        family=TokenFamily.objects.create(
            user=person, password_fingerprint="x", expires_at=now + timedelta(days=1)
        ),
        usage=UsageHour.objects.create(
            hour=now.replace(minute=0, second=0, microsecond=0),
            account_id=account.pk,
            key_id=issued.key.pk,
            route="prediction",
            status_class=2,
            calls=7,
            errors=0,
            throttled=0,
            latency_sum_ms=70,
            latency_max_ms=20,
            bytes_out=700,
        ),
        failure=AuthenticationFailure.objects.create(
            minute=now, reason="checksum", address="203.0.113.7", count=3
        ),
        event=audit.record(actor="command test", action="key.test", kind="key", subject_id="1", subject="it"),
        computation=Computation.objects.create(
            symbol="AAPL",
            depth="fast",
            prediction_timestamp=now,
            model_version="m",
            prediction=msgspec.to_builtins(make_order().prediction),
            created_at=now,
            heard_at=now,
        ),
    )


Staff = Callable[[str], Client]


@pytest.fixture
def staff(db: None) -> Staff:
    """Log a member of staff in: viewer, operator, admin, superuser, or customer, who is none."""

    def log_in(role: str) -> Client:
        user = User.objects.create(
            username=f"the-{role}",
            password="!",
            role="admin" if role in ("superuser", "customer") else role,
            is_staff=role != "customer",
            is_superuser=role == "superuser",
        )
        client = Client()
        client.force_login(user)
        return client

    return log_in


def events(action: str) -> list[AuditEvent]:
    """The audit events of `action`, oldest first."""
    return list(AuditEvent.objects.filter(action=action).order_by("pk"))
