"""The last use of every key: the newest wins, in whatever order and by whichever process it is written.

Runs on Postgres, and on SQLite by `test_on_sqlite`, but for what needs several connections.
"""

from __future__ import annotations

import functools
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from pytest_django import DjangoAssertNumQueries

from accounts import last_use, slices
from accounts.last_use import Use, flush
from accounts.models import Account, ApiKey, Tier
from tests.accounts.together import together

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _nothing_noted() -> Iterator[None]:
    last_use._uses.clear()
    yield
    last_use._uses.clear()


def make_keys(number: int) -> list[ApiKey]:
    """Keys of one account, by their ids."""
    tier = Tier.objects.get(name="pro")
    account = Account.objects.create(name="desk", tier=tier)
    return ApiKey.objects.bulk_create(
        ApiKey(id=uuid.UUID(int=i), account=account, tier=tier, digest=f"{i:064}")
        for i in range(1, number + 1)
    )


@pytest.fixture
def key() -> ApiKey:
    """A key that was never used."""
    return make_keys(1)[0]


def note(key: ApiKey, at: datetime = NOW, address: str = "203.0.113.7", agent: str = "curl") -> None:
    """A use of `key`."""
    last_use.note(key.pk, at=at, address=address, agent=agent)


def stored(key: ApiKey) -> tuple[datetime | None, str, str]:
    """The last use of `key` as the database has it."""
    found = ApiKey.objects.get(pk=key.pk)
    return found.last_used_at, found.last_used_address, found.last_used_agent


def test_a_use_is_written_with_its_time_address_and_agent(key: ApiKey) -> None:
    assert stored(key) == (None, "", "")
    note(key)
    assert flush() == 1
    assert stored(key) == (NOW, "203.0.113.7", "curl")
    assert flush() == 0


def test_of_several_uses_the_last_one_is_written(key: ApiKey) -> None:
    note(key)
    note(key, NOW + SECOND, "2001:db8::1", "python")
    assert flush() == 1
    assert stored(key) == (NOW + SECOND, "2001:db8::1", "python")


def test_an_older_use_of_another_process_changes_nothing(key: ApiKey) -> None:
    note(key)
    flush()
    for at in (NOW, NOW - timedelta(microseconds=1)):
        note(key, at, "198.51.100.9", "late")
        assert flush() == 1
    assert stored(key) == (NOW, "203.0.113.7", "curl")
    note(key, NOW + timedelta(microseconds=1), "198.51.100.9", "later")
    flush()
    assert stored(key) == (NOW + timedelta(microseconds=1), "198.51.100.9", "later")


def test_other_keys_stay_as_they_are() -> None:
    first, second = make_keys(2)
    note(first)
    flush()
    assert stored(second) == (None, "", "")


def test_a_key_that_was_deleted_meanwhile_is_left_out() -> None:
    first, second = make_keys(2)
    note(first)
    note(second)
    first.delete()
    flush()
    assert stored(second)[0] == NOW


def test_agents_are_cut_and_lose_what_the_database_does_not_take(key: ApiKey) -> None:
    note(key, agent="\0é'%s;--" + "x" * 500, address="a" * 99)
    flush()
    assert stored(key) == (NOW, "a" * 45, "é'%s;--" + "x" * 192 + "x")


def test_of_a_long_agent_no_more_is_kept_than_will_be_written(key: ApiKey) -> None:
    note(key, agent="x" * 60_000)
    assert len(last_use._uses[key.pk].agent) == 200


@pytest.mark.parametrize(("different", "statements"), [(0, 0), (1, 1), (500, 1), (501, 2)])
def test_up_to_500_keys_are_one_statement(
    different: int, statements: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for key in make_keys(different):
        note(key)
    with django_assert_num_queries(statements):
        assert flush() == different
    assert ApiKey.objects.filter(last_used_at=NOW).count() == different


def test_what_could_not_be_written_is_written_later_unless_something_newer_has_come() -> None:
    first, second = make_keys(2)
    note(first)
    note(second)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE api_keys RENAME TO keys_away")
        with pytest.raises(DatabaseError), transaction.atomic():
            flush()
        transaction.set_rollback(True)
    note(second, NOW + SECOND)
    assert flush() == 2
    assert (stored(first)[0], stored(second)[0]) == (NOW, NOW + SECOND)
    assert flush() == 0


def test_a_use_that_comes_while_others_are_taken_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    written: set[uuid.UUID] = set()
    monkeypatch.setattr(last_use, "_write", lambda rows: written.update(key_id for key_id, _ in rows))
    ids = [uuid.UUID(int=number) for number in range(20_000)]
    done = threading.Event()

    def flush_often() -> None:
        while not done.is_set():
            flush()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    flusher = threading.Thread(target=flush_often)
    flusher.start()
    try:
        for key_id in ids:
            last_use.note(key_id, at=NOW, address="", agent="")
    finally:
        done.set()
        flusher.join(timeout=60)
        sys.setswitchinterval(interval)
    flush()
    assert len(written) == len(ids)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestWithRealTransactions:
    """Several connections, and statements that are committed one by one."""

    def test_whatever_the_order_of_parallel_writers_the_newest_use_stays(self) -> None:
        keys = make_keys(30)

        def write(number: int) -> None:
            for step in range(20):
                use = Use(NOW + SECOND * (number + 4 * step), f"address {number}", "")
                last_use._write(sorted((key.pk, use) for key in keys))

        together(*(functools.partial(write, number) for number in range(4)))
        assert {stored(key)[:2] for key in keys} == {(NOW + SECOND * 79, "address 3")}

    def test_after_an_error_what_is_left_is_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(slices, "ROWS_AT_ONCE", 2)
        keys = make_keys(5)
        for key in keys:
            note(key, agent="\ud800" if key is keys[2] else "curl")  # what no database takes
        with pytest.raises(UnicodeEncodeError):
            flush()
        assert [stored(key)[0] for key in keys] == [NOW, NOW, None, None, None]
        assert set(last_use._uses) == {key.pk for key in keys[2:]}
        note(keys[2])
        assert flush() == 3
        assert {stored(key) for key in keys} == {(NOW, "203.0.113.7", "curl")}
