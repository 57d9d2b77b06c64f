"""Database and Redis: there, new enough, migrated, and agreeing with us about the time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, cast

import redis
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection
from django.db import Error as DatabaseFailure
from django.db.migrations.executor import MigrationExecutor

from events import outbox
from events.connection import without_secrets
from gateway_project.doctor.findings import Finding, failed, note, ok

CLOCKS_DIFFER_S = 1.0
_SLOW_S = 0.1
_OLD_OUTBOX_S = 60.0
_OLDEST_REDIS = 7


def look_at_database() -> Iterable[Finding]:
    """Reachable, quick, migrated; its clock; what the outbox owes."""
    place = without_secrets(settings.GATEWAY.database_url) or "SQLite in DATA_DIR"
    began = time.perf_counter()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            took_s = time.perf_counter() - began
            version = _version(cursor)
    except DatabaseFailure as error:
        reason = str(error).strip().splitlines()[0]
        remedy = "start it, or correct DATABASE_URL (scheme://user:password@host:port/name)"
        yield failed("database", f"{place} cannot be reached: {reason}", remedy)
        return
    seen = f"{version}, {took_s * 1000:.1f} ms"
    if took_s > _SLOW_S:
        yield note("database", seen, "it is far away or busy; every key that is not in memory waits for it")
    else:
        yield ok("database", seen)
    yield from _look_at_migrations()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
            yield compare_clocks("database", float(cursor.fetchone()[0]))
    yield from _look_at_outbox()


def look_at_redis() -> Iterable[Finding]:
    """Reachable, new enough, keeps what it is given; its clock."""
    place = without_secrets(settings.GATEWAY.redis_url)
    try:
        with redis.Redis.from_url(settings.GATEWAY.redis_url, socket_timeout=3) as client:
            began = time.perf_counter()
            client.ping()
            took_s = time.perf_counter() - began
            facts = cast(dict[str, Any], client.info())
            seconds, micros = cast(tuple[int, int], client.time())
    except redis.RedisError as error:
        yield failed("redis", f"{place} cannot be reached: {error}", "start it, or correct REDIS_URL")
        return
    version = str(facts.get("valkey_version") or facts["redis_version"])
    name = "Valkey" if "valkey_version" in facts else "Redis"
    if name == "Redis" and int(version.split(".", maxsplit=1)[0]) < _OLDEST_REDIS:
        yield failed("redis", f"Redis {version}", f"upgrade it to {_OLDEST_REDIS} or newer, or to Valkey")
    else:
        yield ok("redis", f"{name} {version}, {took_s * 1000:.1f} ms")
    policy = facts.get("maxmemory_policy", "noeviction")
    if facts.get("maxmemory") and policy != "noeviction":
        yield note(
            "redis memory",
            f"when it is full it drops keys ({policy}), and with them counters of limits",
            "set maxmemory-policy noeviction and give it room",
        )
    yield compare_clocks("redis", seconds + micros / 1e6)


def compare_clocks(whose: str, told_s: float) -> Finding:
    """How far a clock that has just said `told_s` is from ours."""
    apart_s = told_s - time.time()
    seen = f"{abs(apart_s) * 1000:.0f} ms {'ahead of' if apart_s > 0 else 'behind'} ours"
    if abs(apart_s) > CLOCKS_DIFFER_S:
        remedy = "let both machines follow one time server (chrony, systemd-timesyncd)"
        return failed(f"clock of {whose}", seen, remedy)
    return ok(f"clock of {whose}", seen)


def _version(cursor: Any) -> str:
    if connection.vendor == "sqlite":
        cursor.execute("SELECT sqlite_version()")
        return f"SQLite {cursor.fetchone()[0]}"
    cursor.execute("SHOW server_version")
    version = f"Postgres {cursor.fetchone()[0]}"
    cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
    found = cursor.fetchone()
    return f"{version} with TimescaleDB {found[0]}" if found else version


def _look_at_migrations() -> Iterable[Finding]:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        yield failed(
            "migrations", f"{DEFAULT_DB_ALIAS}: {names}{more} not applied", "run `manage.py migrate`"
        )
    else:
        yield ok("migrations", "all applied")


def _look_at_outbox() -> Iterable[Finding]:
    try:
        oldest = outbox.oldest_unpublished()
    except DatabaseFailure:
        return  # not migrated
    age_s = 0.0 if oldest is None else time.time() - oldest.timestamp()
    if age_s > _OLD_OUTBOX_S:
        yield failed(
            "outbox",
            f"an order was accepted {age_s:.0f} s ago and is not published",
            "look whether NATS is up and a bridge runs: it publishes what a server process could not",
        )
    else:
        yield ok(
            "outbox", "nothing is owed" if oldest is None else f"the oldest message is {age_s:.0f} s old"
        )
