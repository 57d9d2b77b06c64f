"""Refused credentials are counted exactly, in bounded space, and never with the credential.

Runs on Postgres, and on SQLite by `test_on_sqlite`, but for what needs several connections.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Sum
from pytest_django import DjangoAssertNumQueries

from accounts import failures, slices
from accounts.failures import Failure, flush, prune
from accounts.models import AuthenticationFailure
from tests.accounts.together import together

pytestmark = pytest.mark.django_db

MINUTE = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    failures._counted.clear()
    yield
    failures._counted.clear()


def count(reason: str = "unknown", key: str = "", address: str = "203.0.113.7") -> None:
    """A refusal."""
    failures.count(reason=reason, key=key, address=address)


def rows() -> list[tuple[Any, ...]]:
    """What is written, but when; sums, in case a minute has ended in between."""
    by = AuthenticationFailure.objects.order_by().values("reason", "key", "address")
    return sorted(by.annotate(sum=Sum("count")).values_list("reason", "key", "address", "sum"))


def total() -> int:
    """All refusals that are written."""
    return AuthenticationFailure.objects.aggregate(sum=Sum("count"))["sum"] or 0


def test_refusals_are_counted_by_reason_key_and_address() -> None:
    for _ in range(3):
        count()
    count("revoked", "1wzJ2C1hs5fS7rQghVjZ3r")
    count(address="2001:db8::1")
    flush()
    assert rows() == [
        ("revoked", "1wzJ2C1hs5fS7rQghVjZ3r", "203.0.113.7", 1),
        ("unknown", "", "2001:db8::1", 1),
        ("unknown", "", "203.0.113.7", 3),
    ]


def test_they_are_counted_by_the_minute_in_which_they_happen() -> None:
    before = datetime.now(UTC)
    count()
    after = datetime.now(UTC)
    flush()
    minute = AuthenticationFailure.objects.get().minute
    assert before - timedelta(minutes=1) < minute <= after
    assert (minute.second, minute.microsecond) == (0, 0)


def test_later_flushes_add_to_the_rows_that_are_there() -> None:
    for number in (1, 2, 3):
        failures._add(Failure(MINUTE, "unknown", "", "203.0.113.7"), number)
        assert flush() == 1
    assert AuthenticationFailure.objects.get().count == 6
    assert AuthenticationFailure.objects.get().minute == MINUTE


def test_what_is_too_long_for_its_column_is_cut() -> None:
    count("r" * 99, "k" * 99, "a" * 99)
    flush()
    assert rows() == [("r" * 12, "k" * 22, "a" * 45, 1)]


@pytest.mark.parametrize(("different", "statements"), [(0, 0), (1, 1), (500, 1), (501, 2)])
def test_up_to_500_rows_are_one_statement(
    different: int, statements: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(different):
        failures._add(Failure(MINUTE, "unknown", "", f"address {number}"), 1)
    with django_assert_num_queries(statements):
        assert flush() == different
    assert total() == different


def test_what_could_not_be_written_is_written_later_with_what_has_come_since() -> None:
    count()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_authenticationfailure RENAME TO failures_away")
        for _ in range(2):
            with pytest.raises(DatabaseError), transaction.atomic():
                flush()
        transaction.set_rollback(True)
    count()
    flush()
    assert rows() == [("unknown", "", "203.0.113.7", 2)]
    assert flush() == 0


def test_beyond_the_most_the_address_is_left_out_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "_MOST", 2)
    for number in range(50):
        failures._add(Failure(MINUTE, "unknown", f"key {number}", f"address {number}"), 1)
    failures._add(Failure(MINUTE, "unknown", "key 1", "address 1"), 1)
    assert len(failures._counted) == 3
    flush()
    assert rows() == [
        ("unknown", "", "", 48),
        ("unknown", "key 0", "address 0", 1),
        ("unknown", "key 1", "address 1", 2),
    ]


def test_pruning_takes_what_is_older_and_nothing_else() -> None:
    for minutes in (0, 1, 2):
        failures._add(Failure(MINUTE - timedelta(minutes=minutes), "unknown", "", ""), 1)
    flush()
    assert prune(before=MINUTE - timedelta(minutes=1)) == 1
    left = AuthenticationFailure.objects.order_by("minute").values_list("minute", flat=True)
    assert list(left) == [MINUTE - timedelta(minutes=1), MINUTE]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestWithRealTransactions:
    """Several connections, and statements that are committed one by one."""

    def test_the_sums_of_parallel_writers_are_exact(self) -> None:
        taken = [(Failure(MINUTE, "unknown", "", f"address {number:02}"), 2) for number in range(40)]

        def as_another_process() -> None:
            for _ in range(25):
                failures._write(taken)

        def count_and_flush() -> None:
            for _ in range(25):
                failures._add(taken[0][0], 1)
                flush()

        together(as_another_process, as_another_process, count_and_flush, count_and_flush)
        flush()
        assert [row[3] for row in rows()] == [150] + [100] * 39

    def test_what_was_written_before_an_error_is_not_written_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(slices, "ROWS_AT_ONCE", 2)
        for address in "abcde":
            failures._add(Failure(MINUTE, "unknown", "", address), 1)
        spoiled = Failure(MINUTE, "unknown", "", "c")
        failures._counted[spoiled] = -5  # which the database refuses
        with pytest.raises(IntegrityError):
            flush()
        assert [row[2:] for row in rows()] == [("a", 1), ("b", 1)]
        failures._counted[spoiled] += 6
        failures._add(Failure(MINUTE, "unknown", "", "a"), 1)
        flush()
        assert [row[2:] for row in rows()] == [("a", 2), ("b", 1), ("c", 1), ("d", 1), ("e", 1)]
