"""One URL becomes Django's settings for Postgres or SQLite, with every wait bounded."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from gateway_project.database import database_outage, database_settings


def named(url: str) -> tuple[str, str, str, str, str]:
    """User, password, host, port and name that Django is told for `url`."""
    made = database_settings(url, pool_size=20)
    assert made["ENGINE"] == "django.db.backends.postgresql"
    return made["USER"], made["PASSWORD"], made["HOST"], made["PORT"], made["NAME"]


def options(url: str = "postgresql://h/d", *, pool_size: int = 20) -> dict[str, Any]:
    """The connection options for `url`."""
    found: dict[str, Any] = database_settings(url, pool_size=pool_size)["OPTIONS"]
    return found


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("postgresql://u:p@h:5433/d", ("u", "p", "h", "5433", "d")),
        ("postgres://u:p@h:5433/d", ("u", "p", "h", "5433", "d")),
        ("postgresql://u@h/d", ("u", "", "h", "", "d")),
        ("postgresql://h", ("", "", "h", "", "postgres")),
        ("postgresql://h/", ("", "", "h", "", "postgres")),
        ("postgresql:///d", ("", "", "", "", "d")),
        ("postgresql://u:p@[::1]:5432/d", ("u", "p", "::1", "5432", "d")),
        ("postgresql://u%40x:p%2Fq%3A%25@h/d%20e", ("u@x", "p/q:%", "h", "", "d e")),
        ("postgresql:///d?host=/run/postgresql", ("", "", "/run/postgresql", "", "d")),
        ("postgresql://h:1/d?host=%2Frun%2Fpg&port=5433", ("", "", "/run/pg", "5433", "d")),
    ],
)
def test_a_postgres_url_names_user_password_host_port_and_database(
    url: str, parts: tuple[str, str, str, str, str]
) -> None:
    assert named(url) == parts


def test_query_parameters_become_connection_options() -> None:
    found = options("postgresql://h/d?sslmode=require&target_session_attrs=read-write&host=/run")
    assert (found["sslmode"], found["target_session_attrs"]) == ("require", "read-write")
    assert "host" not in found


def test_query_parameters_go_before_our_own_options_but_not_before_the_pool() -> None:
    found = options("postgresql://h/d?connect_timeout=9&application_name=mine&pool=false")
    assert (found["connect_timeout"], found["application_name"]) == ("9", "mine")
    assert found["pool"]["max_size"] == 20


@pytest.mark.django_db
def test_no_statement_runs_longer_than_ten_seconds() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("10s",)


@pytest.mark.django_db
def test_a_statement_that_takes_too_long_is_a_database_failure() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 20")
        with pytest.raises(OperationalError, match="statement timeout"), transaction.atomic():
            cursor.execute("SELECT pg_sleep(5)")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "-c statement_timeout=10000"),
        ("?options=-c%20search_path%3Dgateway", "-c statement_timeout=10000 -c search_path=gateway"),
        ("?options=-c%20statement_timeout%3D3000", "-c statement_timeout=10000 -c statement_timeout=3000"),
    ],
)
def test_options_of_the_server_in_the_url_come_after_ours(query: str, expected: str) -> None:
    assert options(f"postgresql://h/d{query}")["options"] == expected


@pytest.mark.parametrize("size", [1, 20, 100])
def test_the_pool_opens_connections_on_demand_and_no_more_than_allowed(size: int) -> None:
    pool = options(pool_size=size)["pool"]
    assert (pool["min_size"], pool["max_size"]) == (0, size)


def test_no_wait_for_the_database_is_longer_than_five_seconds() -> None:
    found = options()
    assert 0 < found["connect_timeout"] <= 5
    assert 0 < found["pool"]["timeout"] <= 5


def test_a_connection_is_checked_before_it_is_used_again() -> None:
    assert database_settings("postgresql://h/d", pool_size=1)["CONN_HEALTH_CHECKS"] is True


@pytest.mark.parametrize("name", ["gateway.sqlite3", "new/folder/gateway.sqlite3"])
def test_a_sqlite_url_names_a_file_whose_folder_is_made(tmp_path: Path, name: str) -> None:
    made = database_settings(f"sqlite:///{tmp_path / name}", pool_size=20)
    assert made["ENGINE"] == "django.db.backends.sqlite3"
    assert made["NAME"] == str(tmp_path / name)
    assert (tmp_path / name).parent.is_dir()
    assert not (tmp_path / name).exists()


def test_a_sqlite_path_may_be_relative_and_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = database_settings("sqlite:///a%20folder/gateway.sqlite3", pool_size=20)
    assert made["NAME"] == "a folder/gateway.sqlite3"
    assert (tmp_path / "a folder").is_dir()


def test_sqlite_takes_the_settings_writes_ahead_and_waits_for_its_turn(tmp_path: Path) -> None:
    made = database_settings(f"sqlite:///{tmp_path}/gateway.sqlite3", pool_size=20)
    assert made["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    opened = sqlite3.connect(made["NAME"])
    try:
        opened.executescript(made["OPTIONS"]["init_command"])
        found = {
            name: opened.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "busy_timeout", "journal_size_limit")
        }
    finally:
        opened.close()
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": 20_000,
        "journal_size_limit": 64 << 20,
    }


def test_a_thread_keeps_its_connection_to_sqlite_for_a_while_and_not_for_good(tmp_path: Path) -> None:
    assert 1 <= database_settings(f"sqlite:///{tmp_path}/d", pool_size=20)["CONN_MAX_AGE"] <= 60
    # Django refuses it together with a pool, which keeps connections itself.
    assert "CONN_MAX_AGE" not in database_settings("postgresql://h/d", pool_size=20)


def test_sqlite_needs_no_pool(tmp_path: Path) -> None:
    assert "pool" not in database_settings(f"sqlite:///{tmp_path}/d", pool_size=20)["OPTIONS"]


def test_reading_a_url_says_nothing_about_the_database_being_away() -> None:
    before = database_outage.ongoing
    database_settings("postgresql://nowhere.invalid/d", pool_size=20)
    assert database_outage.ongoing is before
