"""Usage adds up: exactly, whoever writes beside, and whatever the database does.

Runs on Postgres, and on SQLite by `test_on_sqlite`, but for what needs several connections.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Sum
from pytest_django import DjangoAssertNumQueries

from accounts import slices, usage
from accounts.models import UsageHour
from accounts.models.records import NO_ACCOUNT, NO_KEY
from accounts.usage import Row, Tally, flush, of_account, prune
from tests.accounts.together import together

pytestmark = pytest.mark.django_db

HOUR = datetime(2026, 1, 1, 12, tzinfo=UTC)
NUMBER = int(HOUR.timestamp()) // 3600
KEY, OTHER_KEY = uuid.UUID(int=1), uuid.UUID(int=2)


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    usage._tallies.clear()
    yield
    usage._tallies.clear()


def count(**values: Any) -> None:
    """A call of a key, with what is different about it."""
    usual: dict[str, Any] = {
        "account_id": 7,
        "key_id": KEY,
        "route": "prediction",
        "status": 200,
        "latency_ms": 2.0,
        "bytes_out": 100,
        "at": HOUR,
    }
    usage.count(**{**usual, **values})


def rows(*names: str) -> list[tuple[Any, ...]]:
    """What is written, by route and class of status."""
    return list(UsageHour.objects.order_by("hour", "route", "status_class", "key_id").values_list(*names))


def total() -> int:
    """All calls that are written."""
    return UsageHour.objects.aggregate(sum=Sum("calls"))["sum"] or 0


def test_calls_are_added_up_by_hour_account_key_route_and_class_of_status() -> None:
    for status, latency_ms in ((200, 2.0), (204, 5.0), (304, 1.0), (404, 1.0), (429, 1.0), (503, 9.0)):
        count(status=status, latency_ms=latency_ms)
    assert flush() == 4
    names = ("status_class", "calls", "errors", "throttled", "latency_sum_ms", "latency_max_ms", "bytes_out")
    assert rows(*names) == [
        (2, 2, 0, 0, 7.0, 5.0, 200),
        (3, 1, 0, 0, 1.0, 1.0, 100),
        (4, 2, 0, 1, 2.0, 1.0, 200),
        (5, 1, 1, 0, 9.0, 9.0, 100),
    ]


def test_what_a_row_is_about_keeps_calls_apart() -> None:
    count()
    apart: list[dict[str, Any]] = [
        {"at": HOUR + timedelta(hours=1)},
        {"account_id": 8},
        {"key_id": OTHER_KEY},
        {"route": "predictions"},
        {"status": 300},
    ]
    for values in apart:
        count(**values)
    assert flush() == 6
    assert UsageHour.objects.filter(calls=1).count() == 6


def test_the_hour_is_that_in_which_the_call_came() -> None:
    count(at=HOUR + timedelta(minutes=59, seconds=59, microseconds=999_999))
    flush()
    assert rows("hour") == [(HOUR,)]


def test_later_flushes_add_to_the_rows_that_are_there() -> None:
    for latency_ms in (5.0, 9.0, 2.0):
        count(latency_ms=latency_ms)
        assert flush() == 1
    assert rows("calls", "latency_sum_ms", "latency_max_ms", "bytes_out") == [(3, 16.0, 9.0, 300)]


def test_a_flush_of_nothing_writes_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert flush() == 0


@pytest.mark.parametrize(("different", "statements"), [(1, 1), (500, 1), (501, 2)])
def test_up_to_500_rows_are_one_statement(
    different: int, statements: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(different):
        count(account_id=number)
    with django_assert_num_queries(statements):
        assert flush() == different
    assert total() == different


def test_what_could_not_be_written_is_written_later_with_what_has_come_since() -> None:
    count()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_usagehour RENAME TO usage_away")
        for _ in range(2):
            with pytest.raises(DatabaseError), transaction.atomic():
                flush()
        transaction.set_rollback(True)
    count(latency_ms=7.0)
    assert flush() == 1
    assert rows("calls", "latency_sum_ms", "latency_max_ms", "bytes_out") == [(2, 9.0, 7.0, 200)]
    assert flush() == 0


def test_beyond_the_most_rows_calls_are_counted_without_their_key_and_none_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(usage, "_MOST_ROWS", 2)
    for number in range(1, 51):
        count(account_id=number, key_id=uuid.UUID(int=number))
    count(account_id=1, key_id=uuid.UUID(int=1))
    assert len(usage._tallies) == 3
    assert flush() == 3
    assert total() == 51
    nobody = UsageHour.objects.get(account_id=NO_ACCOUNT, key_id=NO_KEY)
    assert nobody.calls == 48


def test_pruning_takes_what_is_older_and_nothing_else() -> None:
    for days in (0, 1, 2):
        count(at=HOUR - timedelta(days=days))
    flush()
    assert prune(before=HOUR - timedelta(days=1)) == 1
    assert rows("hour") == [(HOUR - timedelta(days=1),), (HOUR,)]
    assert prune(before=HOUR - timedelta(days=1)) == 0


def test_an_account_sees_its_own_calls_by_day_and_route_newest_first(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    count(at=HOUR, latency_ms=1.0)
    count(at=HOUR, latency_ms=2.0, status=429)
    count(at=HOUR + timedelta(hours=11, minutes=59), latency_ms=2.0005, status=500, key_id=OTHER_KEY)
    count(at=HOUR, route="predictions")
    count(at=HOUR - timedelta(hours=12), bytes_out=1)
    count(at=HOUR - timedelta(hours=13), bytes_out=2)
    count(at=HOUR - timedelta(hours=37), bytes_out=3)
    count(account_id=8)
    flush()
    with django_assert_num_queries(1):
        found = of_account(7, now=HOUR + timedelta(hours=11, minutes=59, seconds=59), days=2)
    one = {"calls": 1, "errors": 0, "throttled": 0, "latency_avg_ms": 2.0, "latency_max_ms": 2.0}
    today, yesterday = date(2026, 1, 1), date(2025, 12, 31)
    assert found == [
        {
            "day": today,
            "route": "prediction",
            "calls": 4,
            "errors": 1,
            "throttled": 1,
            "latency_avg_ms": 1.75,
            "latency_max_ms": pytest.approx(2.0005, abs=0.0006),
            "bytes_out": 301,
        },
        {"day": today, "route": "predictions", "bytes_out": 100, **one},
        {"day": yesterday, "route": "prediction", "bytes_out": 2, **one},
    ]
    assert [entry["day"] for entry in of_account(7, now=HOUR, days=1)] == [today, today]
    assert of_account(9, now=HOUR, days=90) == []


def test_a_day_is_a_day_in_utc() -> None:
    midnight = datetime(2026, 1, 2, tzinfo=UTC)
    for at in (midnight - timedelta(microseconds=1), midnight):
        count(at=at)
    flush()
    found = of_account(7, now=midnight, days=2)
    assert [(entry["day"], entry["calls"]) for entry in found] == [
        (date(2026, 1, 2), 1),
        (date(2026, 1, 1), 1),
    ]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestWithRealTransactions:
    """Several connections, and statements that are committed one by one."""

    def test_the_sums_of_two_processes_that_write_the_same_rows_are_exact(self) -> None:
        taken = [
            (Row(NUMBER, 7, KEY.int, f"route-{number:02}", 2), Tally(1, 1, 1, 0.5, 3.0, 10))
            for number in range(40)
        ]

        def write() -> None:
            for _ in range(25):
                usage._write(taken)

        together(write, write)
        names = ("calls", "errors", "throttled", "latency_sum_ms", "latency_max_ms", "bytes_out")
        assert rows(*names) == [(50, 50, 50, 25.0, 3.0, 500)] * 40

    def test_calls_that_are_counted_while_others_are_written_are_not_lost(self) -> None:
        def count_many() -> None:
            for number in range(2000):
                count(route=f"route-{number % 7}")

        def flush_often() -> None:
            for _ in range(50):
                flush()

        together(count_many, count_many, flush_often, flush_often)
        flush()
        assert total() == 4000

    def test_what_was_written_before_an_error_is_not_written_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(slices, "ROWS_AT_ONCE", 2)
        for route in "abcde":
            count(route=route)
        row = Row(NUMBER, 7, KEY.int, "c", 2)
        usage._tallies[row].bytes_out = -1  # which the database refuses
        with pytest.raises(IntegrityError):
            flush()
        assert rows("route", "calls") == [("a", 1), ("b", 1)]
        count(route="a")
        usage._tallies[row].bytes_out = 1
        assert flush() == 4
        assert rows("route", "calls") == [("a", 2), ("b", 1), ("c", 1), ("d", 1), ("e", 1)]
