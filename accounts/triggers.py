"""Database triggers: every change of access is noted whoever makes it, and audit events stay as they are.

Processes keep what decides who may call in memory (`accounts.directory`) and follow the notes. A trigger
sees what signals do not: bulk updates, and the hand of an administrator in `psql`.
Installed after every `migrate`, since SQLite drops a table's triggers when a migration rebuilds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.db import connections


@dataclass(frozen=True, slots=True)
class _Watch:
    """Note changes of `columns`, deletions and, if `inserts`, new rows of `table`; `subject` says of whom."""

    table: str
    kind: str
    subject: str
    columns: tuple[str, ...]
    inserts: bool = False

    @property
    def events(self) -> list[str]:
        """What fires it."""
        events = [f"UPDATE OF {', '.join(self.columns)}", "DELETE"]
        return ["INSERT", *events] if self.inserts else events


_WATCHES = [
    _Watch(
        "api_keys",
        "key",
        "id",
        ("account_id", "tier_id", "digest", "scopes", "networks", "lineage", "expires_at", "revoked_at"),
    ),
    _Watch("accounts_account", "account", "id", ("is_active", "tier_id")),
    _Watch("accounts_user", "user", "id", ("password", "is_active", "is_superuser", "role", "account_id")),
    _Watch("accounts_tokenfamily", "family", "id", ("revoked_at", "expires_at", "password_fingerprint")),
    _Watch(
        "accounts_tier",
        "tier",
        "id",
        ("name", "when_redis_is_down", "most_connections", "frames_per_s"),
        inserts=True,
    ),
    _Watch(
        "accounts_limit",
        "tier",
        "tier_id",
        ("tier_id", "route", "name", "scope", "quota", "window_s", "burst"),
        inserts=True,
    ),
]

_POSTGRES_FUNCTIONS = """
CREATE OR REPLACE FUNCTION note_access_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO access_changes (at, kind, subject)
    VALUES (
        clock_timestamp(), TG_ARGV[0], coalesce(coalesce(to_jsonb(NEW), to_jsonb(OLD)) ->> TG_ARGV[1], '')
    );
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
"""

_APPEND_ONLY = "accounts_auditevent"


def install(using: str = "default", **_: Any) -> None:
    """Create or replace every trigger in the database `using`; of tables and columns that are there yet."""
    connection = connections[using]
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        wanted = [_as_it_is(watch, connection, cursor) for watch in _WATCHES if watch.table in tables]
        if "access_changes" not in tables:
            return
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRES_FUNCTIONS)
            statements = [s for watch in wanted for s in _postgres_watch(watch)]
            statements += _postgres_append_only()
        else:
            statements = [*_sqlite_watches(wanted), *_sqlite_append_only()]
        for statement in statements:
            cursor.execute(statement)


def _as_it_is(watch: _Watch, connection: Any, cursor: Any) -> _Watch:
    """After a migration backwards newer columns are missing."""
    there = {column.name for column in connection.introspection.get_table_description(cursor, watch.table)}
    return replace(watch, columns=tuple(column for column in watch.columns if column in there))


def _postgres_watch(watch: _Watch) -> Iterable[str]:
    # Deferred to the commit: a transaction that stays open for long would otherwise note a time so old that
    # nobody looks there any more when the note can be seen.
    yield f"DROP TRIGGER IF EXISTS note_access_change ON {watch.table}"
    yield (
        f"CREATE CONSTRAINT TRIGGER note_access_change AFTER {' OR '.join(watch.events)} ON {watch.table} "
        "DEFERRABLE INITIALLY DEFERRED "
        f"FOR EACH ROW EXECUTE FUNCTION note_access_change('{watch.kind}', '{watch.subject}')"
    )


def _postgres_append_only() -> Iterable[str]:
    yield (
        f"CREATE OR REPLACE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON {_APPEND_ONLY} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def _sqlite_watches(watches: Iterable[_Watch]) -> Iterable[str]:
    for watch in watches:
        for event in watch.events:
            name = f"note_{event.split()[0].lower()}_of_{watch.table}"
            row = "OLD" if event == "DELETE" else "NEW"
            yield f"DROP TRIGGER IF EXISTS {name}"
            yield (  # names of our own
                f"CREATE TRIGGER {name} AFTER {event} ON {watch.table} BEGIN "  # noqa: S608
                "INSERT INTO access_changes (at, kind, subject) "
                f"VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), '{watch.kind}', "
                f"coalesce({row}.{watch.subject}, '')); END"
            )


def _sqlite_append_only() -> Iterable[str]:
    for event in ("UPDATE", "DELETE"):
        name = f"refuse_{event.lower()}_of_{_APPEND_ONLY}"
        yield f"DROP TRIGGER IF EXISTS {name}"
        yield (
            f"CREATE TRIGGER {name} BEFORE {event} ON {_APPEND_ONLY} BEGIN "
            f"SELECT RAISE(ABORT, '{_APPEND_ONLY} is append-only'); END"
        )
    yield f"DROP TRIGGER IF EXISTS refuse_replacement_of_{_APPEND_ONLY}"
    yield (  # INSERT OR REPLACE would fire neither of the others
        f"CREATE TRIGGER refuse_replacement_of_{_APPEND_ONLY} BEFORE INSERT ON {_APPEND_ONLY} "  # noqa: S608
        f"WHEN EXISTS (SELECT 1 FROM {_APPEND_ONLY} WHERE id = NEW.id) "
        f"BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY} is append-only'); END"
    )
