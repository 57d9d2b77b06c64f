"""Every change of who may call is noted, by whatever hand; what has nothing to do with it is not.

Runs on Postgres, and on SQLite by `test_on_sqlite`: statements written by hand are SQL that both take.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from accounts import actions, audit, sessions, triggers
from accounts.actions import issue_key_by_names
from accounts.models import (
    AccessChange,
    Account,
    ApiKey,
    AuditEvent,
    Limit,
    RefreshToken,
    Tier,
    TokenFamily,
    User,
)
from accounts.models.records import AppendOnly

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def rows() -> SimpleNamespace:
    """One row of each kind, and another key of the account; what their making has noted is gone."""
    made = SimpleNamespace()
    made.key = issue_key_by_names(account_name="desk", tier_name="pro", actor="test", now=NOW).key
    made.other_key = issue_key_by_names(account_name="desk", tier_name="pro", actor="test", now=NOW).key
    made.account = made.key.account
    made.user = User.objects.create(username="ann", password="x", account=made.account)
    sessions.log_in(user=made.user, now=NOW, agent="")
    made.family = TokenFamily.objects.get()
    made.tier = Tier.objects.get(name="pro")
    made.limit = Limit.objects.get(tier=made.tier, name="hourly")
    _let_triggers_fire()
    AccessChange.objects.all().delete()
    return made


def _let_triggers_fire() -> None:
    """They wait for the commit, which a test that is rolled back never sees."""
    connection.check_constraints()


def noted() -> list[tuple[str, str]]:
    """Kind and subject of what was noted since the last question, ids of keys without dashes."""
    _let_triggers_fire()
    found = sorted(set(AccessChange.objects.values_list("kind", "subject")))
    AccessChange.objects.all().delete()
    return [(kind, subject.replace("-", "")) for kind, subject in found]


def sql(statement: str, *values: Any) -> None:
    """What an administrator types."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


KEY_CHANGES: dict[str, Any] = {
    "tier": lambda rows: Tier.objects.get(name="free"),
    "account": lambda rows: Account.objects.create(name="new", tier=rows.tier),
    "digest": lambda rows: "0" * 64,
    "scopes": lambda rows: ["stream"],
    "networks": lambda rows: ["203.0.113.0/24"],
    "lineage": lambda rows: uuid.UUID(int=1),
    "expires_at": lambda rows: NOW,
    "revoked_at": lambda rows: NOW,
}


@pytest.mark.parametrize("field", KEY_CHANGES)
def test_each_change_of_a_key_that_decides_is_noted_for_it_alone(rows: SimpleNamespace, field: str) -> None:
    value = KEY_CHANGES[field](rows)
    ApiKey.objects.filter(pk=rows.key.pk).update(**{field: value})
    assert noted() == [("key", rows.key.pk.hex)]
    setattr(rows.other_key, field, "1" * 64 if field == "digest" else value)
    rows.other_key.save(update_fields=[field])
    assert noted() == [("key", rows.other_key.pk.hex)]


def change_user(field: str, value: object) -> Callable[[Any], object]:
    """Give every user another value."""
    return lambda rows: User.objects.update(**{field: value})


def change_tier(field: str) -> Callable[[Any], object]:
    """Give the tier another value."""
    return lambda rows: Tier.objects.filter(pk=rows.tier.pk).update(**{field: 7})


def change_limit(field: str, value: object) -> Callable[[Any], object]:
    """Give the limit another value."""
    return lambda rows: Limit.objects.filter(pk=rows.limit.pk).update(**{field: value})


CHANGES: dict[str, tuple[Callable[[Any], object], Callable[[Any], tuple[str, object]]]] = {
    "account is switched off": (
        lambda rows: Account.objects.update(is_active=False),
        lambda rows: ("account", rows.account.pk),
    ),
    "account moves to a tier": (
        lambda rows: Account.objects.update(tier=Tier.objects.get(name="free")),
        lambda rows: ("account", rows.account.pk),
    ),
    **{
        f"{field} of a user": (change_user(field, value), lambda rows: ("user", rows.user.pk))
        for field, value in {
            "password": "y",
            "is_active": False,
            "is_superuser": True,
            "role": "admin",
            "account": None,
        }.items()
    },
    "login is revoked": (
        lambda rows: sessions.log_out(family_id=rows.family.pk, now=NOW),
        lambda rows: ("family", rows.family.pk.hex),
    ),
    "login ends earlier": (
        lambda rows: TokenFamily.objects.update(expires_at=NOW),
        lambda rows: ("family", rows.family.pk.hex),
    ),
    "login is deleted": (
        lambda rows: TokenFamily.objects.all().delete(),
        lambda rows: ("family", rows.family.pk.hex),
    ),
    "tier is renamed": (
        lambda rows: Tier.objects.filter(pk=rows.tier.pk).update(name="gold"),
        lambda rows: ("tier", rows.tier.pk),
    ),
    "tier gets another policy": (
        lambda rows: Tier.objects.filter(pk=rows.tier.pk).update(when_redis_is_down="open"),
        lambda rows: ("tier", rows.tier.pk),
    ),
    **{
        f"{field} of a tier": (change_tier(field), lambda rows: ("tier", rows.tier.pk))
        for field in ("most_connections", "frames_per_s")
    },
    **{
        f"{field} of a limit": (change_limit(field, value), lambda rows: ("tier", rows.tier.pk))
        for field, value in {
            "route": "prediction",
            "name": "daily",
            "scope": "ip",
            "quota": 7,
            "window_s": 7,
            "burst": 7,
        }.items()
    },
    "limit of a tier is new": (
        lambda rows: Limit.objects.create(tier=rows.tier, name="new", quota=1, window_s=1),
        lambda rows: ("tier", rows.tier.pk),
    ),
    "limit for everybody is new": (
        lambda rows: Limit.objects.create(name="new", quota=1, window_s=1),
        lambda rows: ("tier", ""),
    ),
    "limit is deleted": (
        lambda rows: Limit.objects.filter(pk=rows.limit.pk).delete(),
        lambda rows: ("tier", rows.tier.pk),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_of_those_behind_a_credential_is_noted(rows: SimpleNamespace, change: str) -> None:
    make, expected = CHANGES[change]
    kind, subject = expected(rows)
    make(rows)
    assert noted() == [(kind, str(subject))]


def test_a_new_tier_is_noted_and_its_end_too(rows: SimpleNamespace) -> None:
    tier = Tier.objects.create(name="gold")
    number = str(tier.pk)
    assert noted() == [("tier", number)]
    tier.delete()
    assert noted() == [("tier", number)]


UNWATCHED: dict[str, Callable[[Any], object]] = {
    "last use": lambda rows: ApiKey.objects.update(
        last_used_at=NOW, last_used_address="203.0.113.7", last_used_agent="curl"
    ),
    "name of a key": lambda rows: ApiKey.objects.update(name="new"),
    "name of an account": lambda rows: Account.objects.update(name="new"),
    "last login": lambda rows: User.objects.update(last_login=NOW, email="a@example.com", is_staff=True),
    "description of a tier": lambda rows: Tier.objects.update(description="new"),
    "new key": lambda rows: issue_key_by_names(account_name="desk", tier_name="pro", actor="test", now=NOW),
    "new account": lambda rows: actions.create_account(name="new", tier=rows.tier, actor="test"),
    "new login": lambda rows: sessions.log_in(user=rows.user, now=NOW, agent=""),
    "refresh tokens": lambda rows: RefreshToken.objects.update(used_at=NOW),
    "audit": lambda rows: audit.record(actor="a", action="b.c", kind="b", subject_id=1, subject="d"),
    "rows that are not there": lambda rows: ApiKey.objects.filter(pk=uuid.uuid4()).update(revoked_at=NOW),
}


@pytest.mark.parametrize("change", UNWATCHED)
def test_what_decides_nothing_is_not_noted(rows: SimpleNamespace, change: str) -> None:
    UNWATCHED[change](rows)
    assert noted() == []


def test_a_change_of_many_rows_is_noted_for_each(rows: SimpleNamespace) -> None:
    ApiKey.objects.update(revoked_at=NOW)
    both = sorted(("key", key.pk.hex) for key in (rows.key, rows.other_key))
    assert noted() == both
    ApiKey.objects.bulk_update([rows.key, rows.other_key], ["scopes"])
    assert noted() == both
    ApiKey.objects.all().delete()
    assert noted() == both


def test_statements_typed_by_hand_are_noted_too(rows: SimpleNamespace) -> None:
    sql("UPDATE api_keys SET revoked_at = CURRENT_TIMESTAMP WHERE account_id = %s", rows.account.pk)
    assert len(noted()) == 2
    sql("UPDATE api_keys SET last_used_at = CURRENT_TIMESTAMP")
    assert noted() == []
    sql("DELETE FROM accounts_limit WHERE id = %s", rows.limit.pk)
    assert noted() == [("tier", str(rows.tier.pk))]


def test_what_is_undone_was_not_noted(rows: SimpleNamespace) -> None:
    with transaction.atomic():
        ApiKey.objects.update(revoked_at=NOW)
        transaction.set_rollback(True)
    assert noted() == []


def test_the_time_of_a_note_is_the_databases(rows: SimpleNamespace) -> None:
    ApiKey.objects.filter(pk=rows.key.pk).update(revoked_at=NOW)
    _let_triggers_fire()
    assert abs(AccessChange.objects.get().at - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.fixture
def event() -> AuditEvent:
    """An event of the audit."""
    return audit.record(actor="a", action="b.c", kind="b", subject_id=1, subject="d", old="value")


FORGERIES: dict[str, Callable[[AuditEvent], object]] = {
    "update": lambda event: AuditEvent.objects.update(actor="nobody"),
    "delete": lambda event: AuditEvent.objects.all().delete(),
    "update by hand": lambda event: sql("UPDATE accounts_auditevent SET actor = 'nobody'"),
    "delete by hand": lambda event: sql("DELETE FROM accounts_auditevent WHERE id = %s", event.pk),
    "bulk": lambda event: AuditEvent.objects.bulk_update([event], ["actor"]),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_the_database_refuses_to_change_the_audit(event: AuditEvent, forgery: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        FORGERIES[forgery](event)
    assert AuditEvent.objects.get().actor == "a"


def test_events_refuse_it_before_the_database_is_asked(event: AuditEvent) -> None:
    for refused in (event.save, event.delete):
        with pytest.raises(AppendOnly):
            refused()


def test_installing_twice_notes_once(rows: SimpleNamespace) -> None:
    triggers.install()
    triggers.install()
    ApiKey.objects.filter(pk=rows.key.pk).update(revoked_at=NOW)
    _let_triggers_fire()
    assert AccessChange.objects.count() == 1
