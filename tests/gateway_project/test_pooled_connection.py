"""The pool hands out live connections: without a statement for each, and none whose server has gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import DataError
from django.db import connection as django_connection
from psycopg_pool import ConnectionPool

from gateway_project import pooled_connection
from gateway_project.pooled_connection import PooledConnection
from tests.lines import Timeout, line_to

Pool = ConnectionPool[PooledConnection]


@pytest.fixture
def pool(postgres_url: str) -> Iterator[Pool]:
    """A pool of one, as Django makes it."""
    with ConnectionPool(
        postgres_url,
        connection_class=PooledConnection,
        kwargs={"autocommit": True},
        min_size=0,
        max_size=1,
        timeout=60,
        check=ConnectionPool.check_connection,
    ) as made:
        yield made


def pid_of(pool: Pool) -> int:
    """The server process of the connection that the pool hands out; its statement must work."""
    with pool.connection() as connection:
        row: Any = connection.execute("SELECT pg_backend_pid()").fetchone()
        return int(row[0])


def last_statement(server: psycopg.Connection[Any], pid: int) -> Any:
    """When the server process `pid` began its last statement."""
    return server.execute("SELECT query_start FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()


def test_a_connection_that_is_alive_is_handed_out_without_a_statement(pool: Pool, postgres_url: str) -> None:
    pid = pid_of(pool)
    with psycopg.connect(postgres_url, autocommit=True) as server:
        before = last_statement(server, pid)
        with pool.connection() as connection:
            assert connection.info.backend_pid == pid
        assert last_statement(server, pid) == before is not None
    assert pid_of(pool) == pid


def test_a_connection_whose_server_process_has_ended_is_not_handed_out(pool: Pool, postgres_url: str) -> None:
    pid = pid_of(pool)
    with psycopg.connect(postgres_url, autocommit=True) as server:
        ended = server.execute("SELECT pg_terminate_backend(%s, 5000)", [pid]).fetchone()
    assert ended == (True,)
    assert pid_of(pool) != pid


def test_what_the_server_says_on_its_own_is_heard_and_the_connection_lives_on(
    pool: Pool, postgres_url: str
) -> None:
    with pool.connection() as connection:
        connection.execute("LISTEN news")
    pid = pid_of(pool)
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("NOTIFY news")
    assert pid_of(pool) == pid


def test_a_closed_connection_is_found_out(postgres_url: str) -> None:
    connection = PooledConnection.connect(postgres_url)
    assert connection.execute("SELECT 7").fetchone() == (7,)
    connection.close()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("")


def test_who_hears_nothing_gives_up_and_trusts_no_other_connection_from_that_time(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooled_connection, "_GRACE_S", 0.2)
    monkeypatch.setattr(PooledConnection, "_silence_at", float("-inf"))
    options = {"autocommit": True, "options": "-c statement_timeout=200"}
    with (
        line_to(postgres_url) as line,
        ConnectionPool(
            line.url,
            connection_class=PooledConnection,
            kwargs=options,
            min_size=0,
            max_size=3,
            timeout=60,
            reconnect_timeout=0.5,
            check=ConnectionPool.check_connection,
        ) as pool,
    ):
        with pool.connection() as one, pool.connection() as other:
            before = {one.info.backend_pid, other.info.backend_pid}
        line.add(Timeout())
        with (
            pytest.raises(psycopg.OperationalError, match="not answered"),
            pool.connection() as one,
        ):
            one.execute("SELECT 1")
        line.mend()
        assert pid_of(pool) not in before


def test_what_is_only_noted_is_no_word_of_the_server(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"autocommit": True, "options": "-c statement_timeout=60000"}
    with line_to(postgres_url) as line, PooledConnection.connect(line.url, **options) as connection:
        assert connection.execute("SELECT 7").fetchone() == (7,)
        monkeypatch.setattr(PooledConnection, "_silence_at", time.monotonic())
        line.add(Timeout())
        connection.autocommit = False  # as Django begins a transaction
        began = time.monotonic()
        with pytest.raises(psycopg.OperationalError, match="not answered"):
            connection.execute("SELECT 1")
        assert time.monotonic() - began < 30, "it has waited for its own time to be over"


@pytest.mark.parametrize(
    ("options", "patience_s"),
    [
        ("", None),
        ("-c statement_timeout=10000", 12.0),
        ("-c statement_timeout=10000 -c statement_timeout=500", 2.5),
        ("-c statement_timeout=10000 -c statement_timeout=0", None),
    ],
)
def test_an_answer_may_take_as_long_as_a_statement(
    postgres_url: str, options: str, patience_s: float | None
) -> None:
    with PooledConnection.connect(postgres_url, options=options) as made:
        assert made.patience_s == patience_s


def test_a_statement_that_is_cancelled_by_the_server_costs_no_connection(postgres_url: str) -> None:
    with PooledConnection.connect(postgres_url, autocommit=True, options="-c statement_timeout=50") as made:
        with pytest.raises(psycopg.errors.QueryCanceled):
            made.execute("SELECT pg_sleep(5)")
        assert made.execute("SELECT 7").fetchone() == (7,)


@pytest.mark.django_db
@pytest.mark.parametrize("microsecond", [0, 1, 120_000, 123_456])
def test_times_are_those_of_django(microsecond: int) -> None:
    moment = datetime(2026, 7, 1, 23, 59, 59, microsecond, tzinfo=UTC)
    with django_connection.cursor() as cursor:
        assert isinstance(django_connection.connection, PooledConnection)
        cursor.execute(
            "SELECT %s::timestamptz, NULL::timestamptz, '2026-07-02T01:59:59+02'::timestamptz", [moment]
        )
        row = cursor.fetchone()
    assert row == (moment, None, moment.replace(microsecond=0))
    assert row[0].tzinfo is UTC


@pytest.mark.django_db
@pytest.mark.parametrize("moment", ["infinity", "0044-03-15 12:00:00+00 BC", "20000-01-01 00:00:00+00"])
def test_a_time_that_python_does_not_have_is_a_database_failure(moment: str) -> None:
    with django_connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [moment])
        with pytest.raises(DataError):
            cursor.fetchone()
