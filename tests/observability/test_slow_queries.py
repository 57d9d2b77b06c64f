"""The log of slow statements: what they said and how long they took, never with which values."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import Account
from observability import slow_queries
from observability.slow_queries import SlowQueryLog

SECRET = "the-value-nobody-may-read"
NEVER_MS = 3_600_000.0


@pytest.fixture(autouse=True)
def _unwatched(db: None) -> Iterator[None]:
    """What watches the connection in a test is the test's own."""
    watching = connection.execute_wrappers[:]
    connection.execute_wrappers.clear()
    yield
    connection.execute_wrappers[:] = watching


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """Tells what was logged until then."""
    with caplog.at_level(logging.DEBUG, logger=slow_queries.__name__):
        yield lambda: [record.getMessage() for record in caplog.records if _is_ours(record)]


def _is_ours(record: logging.LogRecord) -> bool:
    return (record.name, record.levelno) == ("observability.slow_queries", logging.WARNING)


def watch(slow_ms: float) -> SlowQueryLog:
    """A log of what takes that long; 0 takes every statement for a slow one."""
    made = SlowQueryLog(slow_ms)
    made.watch(connection)
    return made


def run(sql: str, *values: Any) -> list[Any]:
    """What the database answers."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def test_a_slow_statement_is_logged_with_its_time(logged: Callable[[], list[str]]) -> None:
    watch(30.0)
    run("SELECT pg_sleep(%s)", 0.03)
    [line] = logged()
    found = re.fullmatch(r"slow query, (\d+) ms: SELECT pg_sleep\(%s\)", line)
    assert found is not None
    assert 30 <= int(found[1]) < 30_000


def test_a_fast_statement_is_not_logged(logged: Callable[[], list[str]]) -> None:
    watch(NEVER_MS)
    assert run("SELECT 1") == [(1,)]
    assert logged() == []


def test_a_statement_that_takes_exactly_as_long_is_slow(
    logged: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter([10.0, 10.25, 20.0, 20.2499])
    watch(250.0)
    with monkeypatch.context() as patched:
        patched.setattr(slow_queries, "time", SimpleNamespace(perf_counter=lambda: next(moments)))
        run("SELECT 1")
        run("SELECT 2")
    assert logged() == ["slow query, 250 ms: SELECT 1"]


def test_no_value_of_a_statement_is_logged(logged: Callable[[], list[str]]) -> None:
    watch(0.0)
    assert run("SELECT %s, %s", SECRET, 4711) == [(SECRET, 4711)]
    assert list(Account.objects.filter(name=SECRET)) == []
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE accounts_account SET name = %s WHERE name = %s", [(SECRET, SECRET)] * 2)
    assert len(logged()) == 3
    assert SECRET not in "".join(logged())
    assert "4711" not in "".join(logged())


def test_a_statement_is_logged_in_one_line_and_a_long_one_is_cut(logged: Callable[[], list[str]]) -> None:
    watch(0.0)
    run("SELECT 1,\n\t 2")
    run(f"SELECT {'1, ' * 1_000} 1")
    short, long = (line.partition(" ms: ")[2] for line in logged())
    assert short == "SELECT 1, 2"
    assert long == f"SELECT {'1, ' * 1_000}"[:1_000]


@pytest.mark.parametrize("slow_ms", [0.0, NEVER_MS], ids=["slow", "fast"])
def test_an_error_is_raised_and_a_slow_one_is_logged_all_the_same(
    logged: Callable[[], list[str]], slow_ms: float
) -> None:
    watch(slow_ms)
    with pytest.raises(DatabaseError, match="nothing_of_this_name"), transaction.atomic():
        run("SELECT %s FROM nothing_of_this_name", SECRET)
    said = [line.partition(" ms: ")[2] for line in logged()]
    assert said.count("SELECT %s FROM nothing_of_this_name") == (1 if slow_ms == 0.0 else 0)
    assert SECRET not in "".join(said)


def test_watching_a_connection_again_does_nothing(logged: Callable[[], list[str]]) -> None:
    log = watch(0.0)
    log.watch(connection)
    assert connection.execute_wrappers == [log]
    run("SELECT 1")
    assert len(logged()) == 1


def test_the_result_is_what_the_statement_gives() -> None:
    asked: list[tuple[Any, ...]] = []

    def execute(*query: Any) -> str:
        asked.append(query)
        return "the result"

    for log in (SlowQueryLog(0.0), SlowQueryLog(NEVER_MS)):
        assert log(execute, "SELECT %s", (1,), False, {"cursor": None}) == "the result"
    assert asked == [("SELECT %s", (1,), False, {"cursor": None})] * 2
