"""Every write on keys and accounts happens whole, leaves its event, and holds when many try at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts import actions, audit, keys
from accounts.actions import (
    OVERLAPS,
    IssuedKey,
    KeyAlreadyRotated,
    KeyNotUsable,
    NoTierForKeys,
    TooManyKeys,
    change_key,
    create_account,
    issue_key,
    revoke_key,
    rotate_key,
)
from accounts.models import Account, ApiKey, AuditEvent, Tier, User, default_scopes
from observability import request_context
from tests.accounts.together import together

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
SECOND = timedelta(seconds=1)


@pytest.fixture
def account() -> Account:
    """An account on the tier pro."""
    return Account.objects.create(name="desk", tier=tier("pro"))


@pytest.fixture
def issued(account: Account) -> IssuedKey:
    """A key with everything that a key can have."""
    return issue_key(
        account=account,
        tier=tier("pro"),
        actor="user root",
        now=NOW,
        name="laptop",
        environment="test",
        scopes=["stream", "keys:write"],
        networks=["203.0.113.0/24"],
        expires_at=LATER,
        created_by=User.objects.create(username="root"),
    )


def tier(name: str) -> Tier:
    """The tier of that name."""
    return Tier.objects.get(name=name)


def issue(account: Account, **values: Any) -> IssuedKey:
    """A plain key."""
    return issue_key(account=account, tier=account.tier, actor="test", now=NOW, **values)


def events(action: str) -> list[AuditEvent]:
    """What the audit has of `action`."""
    return list(AuditEvent.objects.filter(action=action).order_by("id"))


def test_a_new_key_is_what_was_asked_for_and_its_secret_fits(issued: IssuedKey, account: Account) -> None:
    key = ApiKey.objects.get()
    assert (key.account, key.tier.name, key.name, key.environment) == (account, "pro", "laptop", "test")
    assert (key.scopes, key.networks, key.expires_at) == (["keys:write", "stream"], ["203.0.113.0/24"], LATER)
    assert (key.lineage, key.replaces, key.revoked_at) == (key.pk, None, None)
    assert key.created_by is not None
    parsed = keys.parse_key(issued.secret)
    assert (parsed.id, parsed.digest, parsed.environment) == (key.pk, key.digest, "test")


def test_a_key_has_the_usual_scopes_unless_others_are_given_and_none_is_none(account: Account) -> None:
    assert issue(account).key.scopes == default_scopes()
    assert issue(account, scopes=[]).key.scopes == []


def test_the_event_of_a_new_key_says_who_what_and_whence_but_no_secret(account: Account) -> None:
    request_context.bind("request-1", address="203.0.113.7")
    issued = issue(account)
    request_context.bind("")
    [event] = events("key.create")
    assert (event.actor, event.kind, event.subject_id) == ("test", "key", issued.key.public_id)
    assert (event.subject, event.address, event.request_id) == ("key of desk", "203.0.113.7", "request-1")
    assert event.detail == {
        "name": "",
        "tier": "pro",
        "scopes": default_scopes(),
        "networks": [],
        "expires_at": None,
    }
    everything = repr(list(AuditEvent.objects.values())) + repr(list(ApiKey.objects.values()))
    assert issued.secret.rpartition("_")[2] not in everything


def test_the_tier_of_callers_without_a_key_takes_no_keys(account: Account) -> None:
    with pytest.raises(NoTierForKeys):
        issue_key(account=account, tier=tier("anonymous"), actor="test", now=NOW)
    assert not ApiKey.objects.exists()


def test_only_keys_that_can_be_used_count_against_the_most(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "MOST_KEYS", 2)
    other = Account.objects.create(name="other", tier=account.tier)
    first = issue(account)
    issue(account, expires_at=NOW + SECOND)
    with pytest.raises(TooManyKeys):
        issue(account)
    issue(other)
    revoke_key(key=first.key, actor="test", now=NOW)
    issue(account)
    issue_key(account=account, tier=account.tier, actor="test", now=NOW + SECOND)
    with pytest.raises(TooManyKeys):
        issue_key(account=account, tier=account.tier, actor="test", now=NOW + SECOND)


def test_a_rotated_key_has_a_successor_that_is_like_it_and_lives_on_for_the_overlap(
    issued: IssuedKey,
) -> None:
    successor = rotate_key(key=issued.key, overlap=OVERLAPS["24h"], actor="key x", now=NOW)
    old, new = ApiKey.objects.get(pk=issued.key.pk), ApiKey.objects.get(pk=successor.key.pk)
    for name in ("account", "tier", "name", "environment", "scopes", "networks", "created_by", "lineage"):
        assert getattr(new, name) == getattr(old, name), name
    assert (new.replaces, new.expires_at, old.expires_at) == (old, LATER, NOW + OVERLAPS["24h"])
    assert new.digest == keys.digest_key(successor.secret) != old.digest
    assert (old.state(NOW), old.state(NOW + OVERLAPS["24h"]), new.state(NOW)) == (
        "expiring",
        "expired",
        "active",
    )
    [event] = events("key.rotate")
    assert (event.actor, event.subject_id) == ("key x", old.public_id)
    assert event.detail == {"successor": new.public_id, "overlap_s": 86_400}


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_an_overlap_never_makes_a_key_live_longer(account: Account, overlap: str) -> None:
    end = NOW + timedelta(minutes=30)
    issued = issue(account, expires_at=end)
    rotate_key(key=issued.key, overlap=OVERLAPS[overlap], actor="test", now=NOW)
    assert ApiKey.objects.get(pk=issued.key.pk).expires_at == min(end, NOW + OVERLAPS[overlap])


def test_without_overlap_the_old_key_ends_at_once(issued: IssuedKey) -> None:
    rotate_key(key=issued.key, overlap=OVERLAPS["0"], actor="test", now=NOW)
    assert not ApiKey.objects.get(pk=issued.key.pk).is_usable(NOW)


def test_a_key_is_rotated_once_and_then_its_successor_is(issued: IssuedKey) -> None:
    second = rotate_key(key=issued.key, overlap=OVERLAPS["7d"], actor="test", now=NOW)
    with pytest.raises(KeyAlreadyRotated):
        rotate_key(key=issued.key, overlap=OVERLAPS["7d"], actor="test", now=NOW)
    third = rotate_key(key=second.key, overlap=OVERLAPS["7d"], actor="test", now=NOW)
    assert third.key.lineage == issued.key.lineage == issued.key.pk
    assert len(events("key.rotate")) == 2


@pytest.mark.parametrize("values", [{"revoked_at": NOW}, {"expires_at": NOW}], ids=["revoked", "expired"])
def test_what_cannot_be_used_cannot_be_rotated(issued: IssuedKey, values: dict[str, Any]) -> None:
    ApiKey.objects.update(**values)
    with pytest.raises(KeyNotUsable):
        rotate_key(key=issued.key, overlap=OVERLAPS["7d"], actor="test", now=NOW)
    assert ApiKey.objects.count() == 1
    assert events("key.rotate") == []


def test_a_key_is_revoked_once_and_for_good(issued: IssuedKey) -> None:
    stale = ApiKey.objects.get()
    assert revoke_key(key=issued.key, actor="user root", now=NOW)
    assert issued.key.revoked_at == NOW
    assert not revoke_key(key=stale, actor="user root", now=NOW + SECOND)
    assert ApiKey.objects.get().revoked_at == NOW
    [event] = events("key.revoke")
    assert (event.subject_id, event.subject) == (issued.key.public_id, "laptop of desk")


def test_a_change_of_a_key_is_noted_with_what_it_was_and_what_it_is(issued: IssuedKey) -> None:
    key = ApiKey.objects.get()
    change_key(
        key=key, actor="user root", name="laptop", tier=tier("free"), scopes=["stream"], expires_at=None
    )
    stored = ApiKey.objects.get()
    assert (stored.tier.name, stored.scopes, stored.expires_at) == ("free", ["stream"], None)
    [event] = events("key.change")
    assert event.detail == {
        "tier": {"from": "pro", "to": "free"},
        "scopes": {"from": ["keys:write", "stream"], "to": ["stream"]},
        "expires_at": {"from": LATER.isoformat(), "to": None},
    }


def test_a_change_of_nothing_is_not_noted(issued: IssuedKey) -> None:
    change_key(key=ApiKey.objects.get(), actor="test", name="laptop", networks=["203.0.113.0/24"])
    assert events("key.change") == []


def test_a_new_account_never_is_somebody_elses(account: Account) -> None:
    names = [create_account(name="desk", tier=tier("free"), actor="user ann").name for _ in range(3)]
    assert names == ["desk-2", "desk-3", "desk-4"]
    assert [(event.subject, event.actor, event.detail) for event in events("account.create")] == [
        (name, "user ann", {"tier": "free"}) for name in names
    ]


def test_the_longest_names_get_a_number_as_well() -> None:
    names = [create_account(name="x" * 150, tier=tier("free"), actor="test").name for _ in range(2)]
    assert names == ["x" * 100, "x" * 90 + "-2"]


def test_a_write_that_fails_leaves_nothing_behind(issued: IssuedKey, monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(ApiKey.objects.values())

    def fail(**_: Any) -> None:
        raise RuntimeError("no audit, no change")

    monkeypatch.setattr(audit, "record", fail)
    key = ApiKey.objects.get()
    attempts: list[Callable[[], object]] = [
        lambda: issue(key.account),
        lambda: rotate_key(key=key, overlap=OVERLAPS["0"], actor="test", now=NOW),
        lambda: revoke_key(key=key, actor="test", now=NOW),
        lambda: change_key(key=key, actor="test", name="new"),
        lambda: create_account(name="new", tier=key.tier, actor="test"),
    ]
    for attempt in attempts:
        with pytest.raises(RuntimeError, match="no audit"):
            attempt()
    assert list(ApiKey.objects.values()) == before
    assert Account.objects.count() == 1


def race(call: Callable[[], object], times: int) -> list[str]:
    """What becomes of `times` calls that begin at the same moment: ``done`` or an exception, sorted."""

    def run() -> str:
        try:
            call()
        except (TooManyKeys, KeyAlreadyRotated, KeyNotUsable) as refused:
            return type(refused).__name__
        return "done"

    return sorted(together(*[run] * times))


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestWithRealTransactions:
    """In threads of their own."""

    @pytest.mark.parametrize(("overlap", "loser"), [("1h", "KeyAlreadyRotated"), ("0", "KeyNotUsable")])
    def test_of_parallel_rotations_one_wins(self, issued: IssuedKey, overlap: str, loser: str) -> None:
        found = race(lambda: rotate_key(key=issued.key, overlap=OVERLAPS[overlap], actor="test", now=NOW), 12)
        assert found == [loser] * 11 + ["done"]
        assert ApiKey.objects.count() == 2
        assert len(events("key.rotate")) == 1

    def test_parallel_calls_cannot_issue_more_keys_than_an_account_may_have(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(actions, "MOST_KEYS", 5)
        assert race(lambda: issue(account), 12) == ["TooManyKeys"] * 7 + ["done"] * 5
        assert ApiKey.objects.count() == len(events("key.create")) == 5

    def test_a_key_that_is_revoked_by_many_at_once_is_revoked_once(self, issued: IssuedKey) -> None:
        race(lambda: revoke_key(key=issued.key, actor="test", now=NOW), 8)
        assert len(events("key.revoke")) == 1
        assert ApiKey.objects.get().revoked_at == NOW

    def test_accounts_of_one_name_that_are_made_at_once_are_different_ones(self) -> None:
        free, name = tier("free"), uuid.UUID(int=7).hex
        assert race(lambda: create_account(name=name, tier=free, actor="test"), 8) == ["done"] * 8
        assert Account.objects.count() == len(events("account.create")) == 8
