"""Who is let in: against rows in a real database, with the queries counted."""

from __future__ import annotations

import asyncio
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, OperationalError
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import directory, failures, key_records, keys
from accounts.actions import IssuedKey, issue_key_by_names
from accounts.callers import Caller
from accounts.credentials import CredentialRefused, authenticate, authenticate_from_memory, look_up
from accounts.directory import FRESH_S, Directory
from accounts.models import Account, ApiKey, Tier, default_scopes
from observability import blocking

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ADDRESS = "203.0.113.7"


@pytest.fixture
def issued() -> IssuedKey:
    """A key on the tier pro."""
    return issue("desk", "pro", "laptop")


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Directory:
    """A memory that can be trusted: every change up to now is in it, and its clock stands still."""
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, credential_grace_s=60)
    made = Directory(clock=lambda: 1000.0)
    made.followed(1000.0)
    monkeypatch.setattr(directory, "_directory", made)
    return made


def issue(account: str, tier: str, name: str = "") -> IssuedKey:
    """A key."""
    return issue_key_by_names(account_name=account, tier_name=tier, key_name=name, actor="test", now=NOW)


def load_long_ago(known: Directory, issued: IssuedKey) -> None:
    """Into a memory that must ask again: no look at the changes has failed yet, but the last one is old."""
    known._clock = lambda: 1000.0 - 2 * FRESH_S
    known.load_key(issued.key.pk)
    known.followed(known._clock())
    known._clock = lambda: 1000.0
    assert known.remembered_key(issued.key.pk) is None


def caller_at(issued: IssuedKey, now: datetime) -> Caller:
    """Who calls with the key at `now`."""
    return authenticate(issued.secret, now=now, address=ADDRESS)


def refusal(credential: str, now: datetime = NOW) -> str:
    """The reason of the refusal; its text must never repeat the credential."""
    with pytest.raises(CredentialRefused) as refused:
        authenticate(credential, now=now, address=ADDRESS)
    assert not credential or credential not in refused.value.detail
    return refused.value.reason


def test_a_good_key_is_its_account_tier_and_scopes_for_one_query(
    issued: IssuedKey, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        caller = authenticate(issued.secret, now=NOW, address=ADDRESS)
    assert caller == Caller(
        tier="pro",
        scopes=frozenset(default_scopes()),
        account_id=issued.key.account_id,
        key_id=issued.key.pk,
        lineage=issued.key.lineage.hex,
        name=f"key {issued.key.public_id}",
    )
    assert caller.is_authenticated


@pytest.mark.parametrize("credential", ["", "junk", "pgw_live_" + "0" * 61, "x" * 100_000])
def test_junk_costs_no_query(credential: str, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert refusal(credential) == "malformed"


def test_a_well_formed_key_that_was_never_issued_is_unknown(issued: IssuedKey) -> None:
    assert refusal(keys.make_key(uuid.uuid4(), "live")) == "unknown"
    # The right id with another secret, or as a test key, is no better.
    assert refusal(keys.make_key(issued.key.pk, "live")) == "unknown"
    assert refusal(keys.make_key(issued.key.pk, "test")) == "unknown"


def wrong(issued: IssuedKey) -> str:
    """Another secret under the id of `issued`."""
    return keys.make_key(issued.key.pk, "live")


def test_a_key_in_memory_costs_no_query_and_a_wrong_secret_of_it_as_many_as_an_unknown_id(
    known: Directory, issued: IssuedKey, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    known.load_key(issued.key.pk)
    with django_assert_num_queries(0):
        assert authenticate(issued.secret, now=NOW, address=ADDRESS).key_id == issued.key.pk
    for guess in (wrong(issued), keys.make_key(uuid.uuid4(), "live")):
        with django_assert_num_queries(1):
            assert refusal(guess) == "unknown"


def test_in_memory_alone_a_wrong_secret_is_as_unknown_as_an_unknown_id(
    known: Directory, issued: IssuedKey, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    known.load_key(issued.key.pk)
    failures._counted.clear()
    with django_assert_num_queries(0):
        for guess in (wrong(issued), keys.make_key(uuid.uuid4(), "live")):
            assert authenticate_from_memory(guess, now=NOW, address=ADDRESS) is None
        found = authenticate_from_memory(issued.secret, now=NOW, address=ADDRESS)
    assert found is not None
    assert found.key_id == issued.key.pk
    assert not failures._counted  # that is done where it is looked up


def test_in_memory_the_right_secret_of_a_revoked_key_is_told_so(known: Directory, issued: IssuedKey) -> None:
    ApiKey.objects.update(revoked_at=NOW)
    known.load_key(issued.key.pk)
    with pytest.raises(CredentialRefused, match="revoked"):
        authenticate_from_memory(issued.secret, now=NOW, address=ADDRESS)
    assert authenticate_from_memory(wrong(issued), now=NOW, address=ADDRESS) is None


def test_in_memory_what_has_no_form_is_refused_at_once(known: Directory) -> None:
    with pytest.raises(CredentialRefused, match="malformed"):
        authenticate_from_memory("junk", now=NOW, address=ADDRESS)


def test_while_the_database_is_away_the_right_secret_is_known_and_a_wrong_one_is_not(
    known: Directory, issued: IssuedKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_long_ago(known, issued)

    def fail(*_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(key_records, "read", fail)
    assert authenticate(issued.secret, now=NOW, address=ADDRESS).key_id == issued.key.pk
    assert refusal(wrong(issued)) == "unknown"
    with pytest.raises(OperationalError):
        authenticate(keys.make_key(uuid.uuid4(), "live"), now=NOW, address=ADDRESS)


def test_while_the_database_hangs_a_key_that_was_good_is_let_in(
    known: Directory, issued: IssuedKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_long_ago(known, issued)
    answers = threading.Event()
    monkeypatch.setattr(key_records, "read", lambda *_: answers.wait(10))
    monkeypatch.setattr(blocking, "TIMEOUT_S", 0.1)
    try:
        found = asyncio.run(look_up(issued.secret, now=NOW, address=ADDRESS))
        assert found.key_id == issued.key.pk
        for unknown in (wrong(issued), keys.make_key(uuid.uuid4(), "live")):
            with pytest.raises(TimeoutError):
                asyncio.run(look_up(unknown, now=NOW, address=ADDRESS))
        known.followed(known._clock() - 61)
        with pytest.raises(TimeoutError):
            asyncio.run(look_up(issued.secret, now=NOW, address=ADDRESS))
    finally:
        answers.set()


def test_a_wrong_secret_finds_no_more_than_an_id_of_no_key(known: Directory, issued: IssuedKey) -> None:
    assert refusal(wrong(issued)) == refusal(keys.make_key(uuid.uuid4(), "live")) == "unknown"
    assert key_records.read(issued.key.pk, keys.digest_key(wrong(issued))) is None
    assert known.remembered_key(issued.key.pk) is None  # nothing was made of it, nor kept
    assert key_records.read(issued.key.pk, keys.digest_key(issued.secret)) == key_records.read(issued.key.pk)


def test_revoked_expired_and_inactive_are_told_apart(issued: IssuedKey) -> None:
    key = issued.key
    key.expires_at = NOW
    key.save()
    assert caller_at(issued, NOW - timedelta(microseconds=1)).key_id == key.pk
    assert refusal(issued.secret) == "expired"
    key.revoked_at = NOW
    key.save()
    assert refusal(issued.secret) == "revoked"
    ApiKey.objects.update(revoked_at=None, expires_at=None)
    Account.objects.update(is_active=False)
    assert refusal(issued.secret) == "inactive"


def test_the_secret_is_stored_as_its_digest_only(issued: IssuedKey) -> None:
    row = ApiKey.objects.values().get(pk=issued.key.pk)
    assert issued.secret not in repr(row)
    assert issued.secret.rpartition("_")[2] not in repr(row)
    assert row["digest"] == keys.digest_key(issued.secret)
    assert str(issued.key) == f"laptop ({issued.key.public_id})"
    assert issued.key.public_id in issued.secret


def test_an_account_is_made_once_and_may_hold_many_keys(issued: IssuedKey) -> None:
    second = issue("desk", "free")
    assert second.key.account == issued.key.account
    assert (str(second.key.account), str(second.key.tier)) == ("desk", "free")
    with pytest.raises(Tier.DoesNotExist):
        issue("nobody", "gold")
    assert not Account.objects.filter(name="nobody").exists()


def test_the_four_tiers_are_seeded() -> None:
    names = set(Tier.objects.values_list("name", flat=True))
    assert names == {"anonymous", "free", "pro", "enterprise"}


def test_two_keys_cannot_share_a_digest(issued: IssuedKey) -> None:
    with pytest.raises(IntegrityError):
        ApiKey.objects.create(account=issued.key.account, tier=issued.key.tier, digest=issued.key.digest)
