"""What is in memory is the truth while it is followed, and nothing else is; the test has the clock."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, connection, transaction
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import actions, directory
from accounts.actions import IssuedKey, issue_key_by_names
from accounts.directory import FRESH_S, Directory, UnknownTier
from accounts.limits import applicable
from accounts.models import Account, ApiKey, Limit, Tier
from accounts.models.tiers import DEFAULT_FRAMES_PER_S

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GRACE_S = 20.0
RELOAD_TIERS_S = 60.0


@pytest.fixture
def clock() -> SimpleNamespace:
    """What the directory takes for the time, in seconds."""
    return SimpleNamespace(now=1000.0)


@pytest.fixture
def known(clock: SimpleNamespace, settings: Settings) -> Directory:
    """A directory that follows, as of now."""
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, credential_grace_s=GRACE_S)
    made = Directory(clock=lambda: clock.now)
    made.followed(clock.now)
    return made


@pytest.fixture
def issued() -> IssuedKey:
    """A key on the tier pro."""
    return issue()


def issue(account: str = "desk", tier: str = "pro") -> IssuedKey:
    """A key."""
    return issue_key_by_names(account_name=account, tier_name=tier, actor="test", now=NOW)


def remembers(known: Directory, *issued: IssuedKey) -> list[bool]:
    """Which of the keys would be let in without a query."""
    return [known.remembered_key(one.key.pk) is not None for one in issued]


def test_a_key_is_loaded_by_one_query_and_then_remembered_for_none(
    known: Directory, issued: IssuedKey, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert remembers(known, issued) == [False]
    with django_assert_num_queries(1):
        loaded = known.load_key(issued.key.pk)
    with django_assert_num_queries(0):
        assert known.remembered_key(issued.key.pk) is loaded
    assert loaded is not None
    key = ApiKey.objects.get()
    assert (loaded.id, loaded.digest, loaded.account_id) == (key.pk, key.digest, key.account_id)
    assert (loaded.tier, loaded.tier_id, loaded.lineage) == ("pro", key.tier_id, key.lineage.hex)
    assert (loaded.scopes, loaded.networks) == (frozenset(key.scopes), ())
    assert (loaded.expires_at, loaded.revoked_at) == (None, None)
    assert (loaded.is_account_active, loaded.is_replaced) == (True, False)


@pytest.mark.parametrize("microsecond", [0, 1, 123_456])
def test_the_record_has_what_the_row_has(known: Directory, issued: IssuedKey, microsecond: int) -> None:
    moment = NOW.replace(microsecond=microsecond)
    networks, scopes = ["10.0.0.0/8", "fd00::/8"], ["stream"]
    ApiKey.objects.update(expires_at=moment, revoked_at=moment, networks=networks, scopes=scopes)
    Account.objects.update(is_active=False)
    loaded = known.load_key(issued.key.pk)
    assert loaded is not None
    assert (loaded.expires_at, loaded.revoked_at) == (moment, moment)
    assert (loaded.networks, loaded.scopes) == (tuple(networks), frozenset(scopes))
    assert loaded.is_account_active is False
    assert loaded.is_replaced is False
    assert loaded.caller.expires_at == moment


def test_the_record_of_a_rotated_key_says_so(known: Directory, issued: IssuedKey) -> None:
    actions.rotate_key(key=issued.key, overlap=actions.OVERLAPS["1h"], actor="test", now=NOW)
    loaded = known.load_key(issued.key.pk)
    assert loaded is not None
    assert loaded.is_replaced
    assert loaded.expires_at == NOW + actions.OVERLAPS["1h"]


def test_a_key_that_does_not_exist_is_not_remembered(known: Directory) -> None:
    nobody = uuid.uuid4()
    assert known.load_key(nobody) is None
    assert known.remembered_key(nobody) is None


def test_memory_is_trusted_only_for_a_moment_after_the_last_look(
    known: Directory, issued: IssuedKey, clock: SimpleNamespace
) -> None:
    known.load_key(issued.key.pk)
    clock.now += FRESH_S - 0.01
    assert remembers(known, issued) == [True]
    clock.now += 0.02
    assert remembers(known, issued) == [False]
    known.followed(clock.now)
    assert remembers(known, issued) == [True]


def test_a_directory_that_was_never_followed_trusts_nothing(issued: IssuedKey) -> None:
    known = Directory()
    known.load_key(issued.key.pk)
    assert remembers(known, issued) == [False]
    known.lost_sight()
    assert remembers(known, issued) == [False]


def test_while_looks_are_late_a_key_is_read_now_and_then_and_not_for_each_of_its_calls(
    known: Directory, issued: IssuedKey, clock: SimpleNamespace
) -> None:
    other = issue("other desk")
    known.load_key(other.key.pk)
    clock.now += 10 * FRESH_S
    known.looking(clock.now)
    assert remembers(known, issued, other) == [False, False]
    known.load_key(issued.key.pk)
    clock.now += FRESH_S - 0.01
    assert remembers(known, issued, other) == [True, False]
    assert known.remembered_digest(issued.key.digest) is not None
    clock.now += 0.02
    assert remembers(known, issued, other) == [False, False]
    assert known.remembered_digest(issued.key.digest) is None


def test_while_the_database_is_away_what_was_good_is_let_in_for_the_grace(
    known: Directory, issued: IssuedKey, clock: SimpleNamespace
) -> None:
    known.load_key(issued.key.pk)
    clock.now += FRESH_S + 0.01
    assert remembers(known, issued) == [False]
    known.lost_sight()
    assert remembers(known, issued) == [True]
    clock.now += GRACE_S - FRESH_S - 0.02
    assert remembers(known, issued) == [True]
    clock.now += 0.02
    assert remembers(known, issued) == [False]
    known.followed(clock.now)
    assert remembers(known, issued) == [True]
    clock.now += FRESH_S + 0.01
    assert remembers(known, issued) == [False]  # it sees again, and is late


def test_records_are_loaded_again_after_ten_minutes_and_not_all_at_once(
    known: Directory, clock: SimpleNamespace
) -> None:
    several = [issue() for _ in range(8)]
    for one in several:
        known.load_key(one.key.pk)
    first, last = clock.now + 480.0, clock.now + 600.0
    for moment, expected in ((first - 0.1, {True}), (last + 0.1, {False})):
        clock.now = moment
        known.followed(clock.now)
        assert set(remembers(known, *several)) == expected
        assert {known.remembered_digest(one.key.digest) is not None for one in several} == expected
    assert len({known._keys[one.key.pk][1] for one in several}) > 1
    known.load_key(several[0].key.pk)
    assert remembers(known, several[0]) == [True]


def test_what_took_long_to_load_is_answered_but_not_kept(known: Directory, issued: IssuedKey) -> None:
    moments = iter([0.0, 2.1, 3.0, 4.9])
    slow = Directory(clock=lambda: next(moments))
    assert slow.load_key(issued.key.pk) is not None
    assert slow._keys == {}
    assert slow.load_key(issued.key.pk) is not None
    assert 3.0 + 480.0 <= slow._keys[issued.key.pk][1] <= 3.0 + 600.0  # as old as its query


def test_the_number_of_records_is_bounded_and_the_oldest_goes(
    known: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "_MOST_RECORDS", 2)
    three = [issue(), issue(), issue()]
    for one in three:
        known.load_key(one.key.pk)
    assert remembers(known, *three) == [False, True, True]


def test_a_change_of_a_key_forgets_it_alone(known: Directory) -> None:
    first, second = issue(), issue()
    for subject in (first.key.pk.hex, str(first.key.pk)):  # as SQLite and Postgres write it
        for one in (first, second):
            known.load_key(one.key.pk)
        known.forget("key", subject)
        assert remembers(known, first, second) == [False, True]
    known.forget("key", uuid.uuid4().hex)
    assert remembers(known, first, second) == [False, True]


def test_a_change_of_an_account_forgets_all_its_keys(known: Directory) -> None:
    first, second, other = issue(), issue(), issue("other")
    for one in (first, second, other):
        known.load_key(one.key.pk)
    known.forget("account", str(first.key.account_id))
    assert remembers(known, first, second, other) == [False, False, True]


@pytest.mark.parametrize("kind", ["user", "family"])
def test_a_change_of_people_and_logins_concerns_no_key(
    known: Directory, issued: IssuedKey, kind: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    known.load_key(issued.key.pk)
    with django_assert_num_queries(0):
        known.forget(kind, "1")
    assert remembers(known, issued) == [True]


def load_anew(known: Directory) -> None:
    """As happens every minute."""
    known.load_tiers()


BEFORE: dict[str, Callable[[Directory], None]] = {"at once": lambda known: None, "after a load": load_anew}


@pytest.mark.parametrize("moment", BEFORE)
def test_a_new_name_of_a_tier_forgets_its_keys_even_if_tiers_were_loaded_before_it_was_heard(
    known: Directory, issued: IssuedKey, moment: str
) -> None:
    other = issue("other", "free")
    known.load_tiers()
    for one in (issued, other):
        known.load_key(one.key.pk)
    Tier.objects.filter(name="pro").update(name="gold")
    BEFORE[moment](known)
    known.forget("tier", str(issued.key.tier_id))
    assert remembers(known, issued, other) == [False, True]
    assert known.tier("gold").id == issued.key.tier_id
    with pytest.raises(UnknownTier):
        known.tier("pro")


def test_a_change_of_a_limit_is_in_the_rules_and_keys_stay(known: Directory, issued: IssuedKey) -> None:
    known.load_tiers()
    known.load_key(issued.key.pk)
    before = known.rules("pro", "prediction")
    Limit.objects.filter(tier__name="pro", name="hourly").update(quota=7)
    Limit.objects.create(name="everyone", scope="global", quota=9, window_s=1)
    assert known.rules("pro", "prediction") is before
    known.forget("tier", str(issued.key.tier_id))
    after = {rule.name: rule.quota for rule in known.rules("pro", "prediction")}
    assert after == {"hourly": 7, "burst": 50, "everyone": 9}
    assert remembers(known, issued) == [True]


def test_all_tiers_are_loaded_by_two_queries(
    known: Directory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        known.load_tiers()
    with django_assert_num_queries(0):
        names = [known.tier(name).name for name in ("anonymous", "free", "pro", "enterprise")]
        known.rules("enterprise", "prediction")
    assert names == ["anonymous", "free", "pro", "enterprise"]
    assert known.tier("free").when_redis_is_down == "local"


def test_the_same_question_gets_the_same_tuple_and_it_is_what_applies(known: Directory) -> None:
    known.load_tiers()
    found = known.rules("pro", "prediction")
    assert found is known.rules("pro", "prediction")
    assert found == applicable(known.tier("pro").rules, "prediction")
    assert {(rule.tier, rule.name) for rule in found} == {("pro", "hourly"), ("pro", "burst")}
    assert known.rules("enterprise", "prediction") == ()


def test_a_limit_for_everybody_is_among_the_rules_of_every_tier_once(known: Directory) -> None:
    Limit.objects.create(name="everyone", scope="global", quota=9, window_s=1)
    known.load_tiers()
    for name in ("anonymous", "free", "pro", "enterprise"):
        assert [rule.tier for rule in known.tier(name).rules if rule.name == "everyone"] == [None]


def test_a_tier_that_is_not_in_memory_is_unknown(known: Directory) -> None:
    for ask in (lambda: known.tier("pro"), lambda: known.rules("pro", "prediction")):
        with pytest.raises(UnknownTier, match="pro"):
            ask()
    known.load_tiers()
    with pytest.raises(UnknownTier, match="gold"):
        known.rules("gold", "prediction")


def test_a_tier_that_is_not_in_memory_is_found_by_two_queries_and_then_by_none(
    known: Directory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        assert known.find_tier("pro").name == "pro"
    with django_assert_num_queries(0):
        assert known.find_tier("free") is known.tier("free")
    Tier.objects.create(name="gold")
    assert known.find_tier("gold").rules == ()
    with pytest.raises(UnknownTier, match="silver"):
        known.find_tier("silver")


def test_a_tier_says_what_its_sockets_may(known: Directory) -> None:
    known.load_tiers()
    seeded = {name: known.tier(name).most_connections for name in ("anonymous", "free", "pro", "enterprise")}
    assert seeded == {"anonymous": 0, "free": 5, "pro": 50, "enterprise": None}
    assert known.tier("pro").frames_per_s == DEFAULT_FRAMES_PER_S
    Tier.objects.filter(name="pro").update(most_connections=7, frames_per_s=3)
    assert known.tier("pro").most_connections == 50
    known.forget("tier", str(known.tier("pro").id))
    assert (known.tier("pro").most_connections, known.tier("pro").frames_per_s) == (7, 3)


def test_no_hand_can_give_a_tier_no_frames() -> None:
    with pytest.raises(IntegrityError, match="tier_sends_frames"), transaction.atomic():
        Tier.objects.update(frames_per_s=0)


def test_tiers_are_due_at_first_and_every_minute(known: Directory, clock: SimpleNamespace) -> None:
    states = [known.knows_tiers]
    known.load_tiers()
    for passed_s in (0.0, RELOAD_TIERS_S - 0.1, 0.2):
        clock.now += passed_s
        states.append(known.knows_tiers)
    assert states == [False, True, True, False]


def test_an_account_that_is_switched_off_is_seen_at_the_next_load(
    known: Directory, issued: IssuedKey
) -> None:
    known.load_key(issued.key.pk)
    Account.objects.update(is_active=False)
    known.forget("account", str(issued.key.account_id))
    loaded = known.load_key(issued.key.pk)
    assert loaded is not None
    assert not loaded.is_account_active


def test_a_tier_that_is_made_while_tiers_are_loaded_is_never_known_without_its_limits() -> None:
    made: list[Tier] = []

    def make_it_after_the_first_query(execute: Any, *query: Any) -> Any:
        result = execute(*query)
        if not made:
            made.append(Tier(name="brand-new"))
            made[0].save()
            Limit.objects.create(tier=made[0], name="hourly", quota=7, window_s=3600)
        return result

    known = Directory()
    with connection.execute_wrapper(make_it_after_the_first_query):
        known.load_tiers()
    assert made
    # A database that hands over rows as they are fetched may show it already: then with its limits.
    with contextlib.suppress(UnknownTier):
        assert [rule.quota for rule in known.rules("brand-new", "prediction")] == [7]
    known.load_tiers()
    assert [rule.quota for rule in known.rules("brand-new", "prediction")] == [7]
