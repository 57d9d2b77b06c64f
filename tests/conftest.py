"""Fixtures that every folder shares."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
from collections.abc import Iterator

import psycopg
import pytest
import redis
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper as PostgresConnection
from pytest_django import DjangoDbBlocker

from predictions import newest
from tests.servers import Server, running_nats, running_postgres, running_valkey
from tests.stack import TEMPLATE, Stack, fresh_database

_letters = itertools.product("ABCDEFGHIJKLMNOPQRSTUVWXYZ", repeat=4)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database. At the end whoever is still connected is cut off: threads that died with a
    connection and autovacuum may take longer to go than dropping a database waits for them."""
    yield
    with django_db_blocker.unblock():
        if isinstance(connection, PostgresConnection):
            name = connection.settings_dict["NAME"]
            connection.close()
            connection.close_pool()
            with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
                server.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name]
                )


@pytest.fixture
def symbol() -> str:
    """A symbol that no other test of this process uses."""
    return "Q" + "".join(next(_letters))


@pytest.fixture
def nats_server() -> Iterator[Server]:
    """A NATS of this test alone."""
    with running_nats() as server:
        yield server


@pytest.fixture
def nats_url(nats_server: Server) -> str:
    """The URL of a NATS of this test alone."""
    return nats_server.url


@pytest.fixture
def redis_client() -> Iterator[redis.Redis]:
    """This process's Valkey, emptied."""
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    client.flushdb()
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def newest_store(redis_client: redis.Redis) -> newest.NewestStore:
    """The process's store on an empty Valkey."""
    return newest.store()


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """The Postgres of this run."""
    return os.environ["DATABASE_URL"]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A running gateway that tests of this process share; each uses a symbol of its own."""
    with contextlib.ExitStack() as held:
        yield _stack(held)


@pytest.fixture
def own_stack() -> Iterator[Stack]:
    """A gateway whose processes and servers this test alone starts, kills and restarts."""
    with contextlib.ExitStack() as held:
        made = make_stack(held, os.environ["DATABASE_URL"])
        yield made


@pytest.fixture
def own_postgres() -> Iterator[Server]:
    """A Postgres of this test alone."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def stack_on_own_postgres(own_postgres: Server) -> Iterator[Stack]:
    """A gateway, none of whose processes is started yet, on `own_postgres`: the test may kill that too."""
    with contextlib.ExitStack() as held:
        made = make_stack(held, own_postgres.url)
        yield made


def _stack(held: contextlib.ExitStack) -> Stack:
    made = make_stack(held, os.environ["DATABASE_URL"])
    # All tests call from one address; the ten calls an hour of strangers are tested on a stack of their own.
    made.execute("UPDATE accounts_limit SET quota = 1000000 WHERE scope = 'ip'")
    made.start_bridge()
    made.start_web()
    return made


def make_stack(held: contextlib.ExitStack, server_url: str) -> Stack:
    """A stack with a database on `server_url` and servers of its own; nothing is started yet."""
    database_url = held.enter_context(fresh_database(server_url))
    made = Stack(
        database_url,
        redis=held.enter_context(running_valkey()),
        nats=held.enter_context(running_nats()),
    )
    held.callback(made.end)
    return made


@pytest.fixture(autouse=True, scope="session")
def _no_template_left(postgres_url: str) -> Iterator[None]:
    """A Postgres that was given keeps nothing of the tests."""
    yield
    if not postgres_url.startswith("postgresql://"):  # some tests run on SQLite again
        return
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{TEMPLATE}"')


@pytest.fixture(autouse=True, scope="session")
def _quiet_client() -> None:
    """A failing test shows the gateway's log, not one line for every request of the test."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
