"""Keys that are changed by several callers at once, in threads of their own with real commits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import actions, directory, self_service
from accounts.callers import Caller
from accounts.credentials import authenticate
from accounts.models import ApiKey, AuditEvent
from tests.accounts.callers import Holder, account, key, row
from tests.accounts.together import race

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def fresh_memory() -> Iterator[None]:
    """Nothing of these accounts stays in memory for the next test."""
    yield
    directory.current().load_tiers()


def caller_of(holder: Holder) -> Caller:
    """Who calls with this key."""
    return authenticate(holder.headers["X-API-Key"], now=timezone.now(), address="127.0.0.1")


def test_of_parallel_rotations_of_one_key_one_wins() -> None:
    holder = key("keys:write")
    caller = caller_of(holder)

    def rotate() -> Any:
        return self_service.rotate_key(caller=caller, public_id=str(holder), overlap=HOUR, now=timezone.now())

    assert race(rotate, 8) == {"IssuedKey": 1, "KeyAlreadyRotated": 7}
    assert ApiKey.objects.count() == 2
    assert ApiKey.objects.filter(replaces=row(holder)).count() == 1
    assert AuditEvent.objects.filter(action="key.rotate").count() == 1


def test_parallel_registrations_do_not_exceed_what_an_account_may_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(actions, "MOST_KEYS", 4)
    caller = caller_of(key("keys:write"))

    def register() -> Any:
        return self_service.register_key(caller=caller, now=timezone.now())

    assert race(register, 8) == {"IssuedKey": 3, "TooManyKeys": 5}
    assert ApiKey.objects.filter(account=account()).count() == 4


def test_a_key_that_is_revoked_while_it_is_rotated_has_no_usable_successor_by_accident() -> None:
    holder = key("keys:write")
    caller = caller_of(holder)
    calls = iter([True, False])

    def either() -> Any:
        if next(calls):
            return self_service.revoke_key(caller=caller, public_id=str(holder), now=timezone.now())
        return self_service.rotate_key(caller=caller, public_id=str(holder), overlap=HOUR, now=timezone.now())

    outcome = race(either, 2)
    assert row(holder).revoked_at is not None
    # Either the rotation came first and its successor lives, or it was refused; never a mixture.
    assert outcome["IssuedKey"] + outcome["KeyNotUsable"] == 1
    assert ApiKey.objects.count() == 1 + outcome["IssuedKey"]


def test_parallel_revocations_are_audited_once() -> None:
    holder = key()
    caller = caller_of(holder)

    def revoke() -> Any:
        return self_service.revoke_key(caller=caller, public_id=str(holder), now=timezone.now())

    assert race(revoke, 6) == {"NoneType": 6}
    assert AuditEvent.objects.filter(action="key.revoke").count() == 1


def test_parallel_changes_of_one_key_are_each_audited_from_what_was_there() -> None:
    holder = key("keys:write")
    caller = caller_of(holder)
    names = iter(["a", "b", "c", "d"])

    def rename() -> Any:
        changes = {"name": next(names)}
        return self_service.change_key(
            caller=caller, public_id=str(holder), now=timezone.now(), changes=changes
        )

    assert race(rename, 4) == {"ApiKey": 4}
    steps = [event.detail["name"] for event in AuditEvent.objects.filter(action="key.change").order_by("id")]
    assert [step["from"] for step in steps] == ["", *(step["to"] for step in steps[:-1])]
    assert row(holder).name == steps[-1]["to"]
