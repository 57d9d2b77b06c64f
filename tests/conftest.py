"""Fixtures that every folder shares."""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
import redis
from django.db.backends.postgresql.creation import DatabaseCreation as PostgresCreation
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from httpx._transports import default as httpx_transport

from accounts import directory, following
from accounts.following import Follower
from observability.log_sink import STDERR
from predictions import newest
from tests.servers import Server, running_nats, running_postgres, running_valkey
from tests.stack import TEMPLATE, Stack, fresh_database

_letters = itertools.product("ABCDEFGHIJKLMNOPQRSTUVWXYZ", repeat=4)


def _drop_by_force(creation: Any, name: str, verbosity: int) -> None:
    """As Django drops a test database, but sessions that linger or come anew hold nothing up."""
    creation.connection.close_pool()
    with creation._nodb_cursor() as cursor:
        sessions = "SELECT backend_type, state, backend_start, query FROM pg_stat_activity WHERE datname = %s"
        cursor.execute(sessions, [name])
        for session in cursor.fetchall():
            sys.stderr.write(f"still connected to {name}: {session}\n")
        cursor.execute(f"DROP DATABASE {creation.connection.ops.quote_name(name)} WITH (FORCE)")


cast(Any, PostgresCreation)._destroy_test_db = _drop_by_force

# Every call without a client of its own would read the certificates of all authorities, for 40 ms of a core.
_transport = vars(httpx_transport)
_transport["create_ssl_context"] = functools.lru_cache(_transport["create_ssl_context"])
# Nor are five seconds too long on a machine with much to do.
vars(DEFAULT_TIMEOUT_CONFIG).update(dict.fromkeys(("connect", "read", "write", "pool"), 60.0))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that commits gives back what migrations have written: others run after it, in any order."""
    for item in items:
        for marker in item.iter_markers("django_db"):
            if marker.kwargs.get("transaction") and not marker.kwargs.get("serialized_rollback"):
                raise pytest.UsageError(f"{item.nodeid}: transaction=True needs serialized_rollback=True")


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """What a test has logged belongs to its report: a thread writes it."""
    try:
        yield
    finally:
        STDERR.flush()


@pytest.fixture(autouse=True)
def _nobody_follows_on() -> Iterator[None]:
    """End the follower of access changes that a test has started: its database is not the next one's."""
    yield
    if following._follower._thread is not None:
        following._follower.stop()
        following._follower = Follower(directory.current())


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
    with running_stack(let_strangers_call) as made:
        yield made


@pytest.fixture(scope="session")
def explaining() -> Iterator[Stack]:
    """As `stack`, with a worker for explanations."""
    with running_stack(with_worker=True) as made:
        yield made


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


@contextlib.contextmanager
def running_stack(*prepare: Callable[[Stack], object], with_worker: bool = False) -> Iterator[Stack]:
    """A gateway on the Postgres of this run, with servers of its own; `prepare` it before it starts."""
    with contextlib.ExitStack() as held:
        made = make_stack(held, os.environ["DATABASE_URL"])
        for step in prepare:
            step(made)
        made.start_bridge()
        if with_worker:
            made.start_worker()
        made.start_web()
        yield made


@contextlib.contextmanager
def surviving_stack(
    log: Path,
    *roles: str,
    environ: Mapping[str, str] | None = None,
    ops_ports: Mapping[str, int] | None = None,
) -> Iterator[tuple[Stack, dict[str, subprocess.Popen[bytes]]]]:
    """A gateway to be ill-treated, and its processes by role, web among them; `ops_ports` are by role too.

    At the end they live and answer, and the `log` that they share holds no trace.
    """
    with contextlib.ExitStack() as held:
        made = make_stack(held, os.environ["DATABASE_URL"])
        made.log_path = log
        made.environ |= environ or {}
        start = {"bridge": made.start_bridge, "worker": made.start_worker, "web": made.start_web}
        processes = {}
        for role in (*roles, "web"):
            made.environ["OPS_PORT"] = str((ops_ports or {}).get(role, 0))
            processes[role] = start[role]()
        yield made, processes
        assert {role: process.poll() for role, process in processes.items()} == dict.fromkeys(processes)
        assert made.get("/health/ready").status_code == 200
    assert "Traceback" not in log.read_text()


def let_strangers_call(made: Stack) -> None:
    """All tests call from one address; the ten calls an hour are tested on a stack of their own."""
    made.execute("UPDATE accounts_limit SET quota = 1000000 WHERE scope = 'ip'")


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
