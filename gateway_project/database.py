"""From ``DATABASE_URL`` to Django's database settings, and whether the database is away just now."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from observability.outages import Outage

database_outage = Outage("the database")

# A server that hangs or a line that is cut must not hold a thread for minutes.
_STATEMENT_TIMEOUT_MS = 10_000

# Opening a file, its PRAGMAs and Django's functions take as long as a small request. A thread keeps its
# connection for so long; not for good, so that whatever has gone wrong with one is over soon.
_SQLITE_KEPT_S = 10

# FULL: the bridge acknowledges after the commit, which must survive a power cut by then.
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=20000;"
    "PRAGMA journal_size_limit=67108864;"
)


def database_settings(url: str, *, pool_size: int, prepares: bool = True) -> dict[str, Any]:
    """Return the ``DATABASES`` entry for a ``postgresql://`` or ``sqlite:///`` URL.

    For Postgres, query parameters become connection options (``host`` may be a socket directory).
    """
    if url.startswith("sqlite:///"):
        path = Path(unquote(url.removeprefix("sqlite:///")))
        path.parent.mkdir(parents=True, exist_ok=True)
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(path),
            "CONN_MAX_AGE": _SQLITE_KEPT_S,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": _SQLITE_PRAGMAS,
            },
        }
    # Nobody else needs psycopg.
    from gateway_project.pooled_connection import PooledConnection

    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "postgres",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", unquote(parts.hostname or "")),
        "PORT": options.pop("port", str(parts.port or "")),
        # A pooled connection may have died with its server since its last use.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 3,
            "application_name": "prediction-gateway",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            # What a connection has asked five times is not parsed and planned again.
            "server_side_binding": prepares,
            "prepare_threshold": 5 if prepares else None,
            **options,
            "options": f"-c statement_timeout={_STATEMENT_TIMEOUT_MS} {options.get('options', '')}".rstrip(),
            "pool": {
                "connection_class": PooledConnection,
                "min_size": 0,
                "max_size": pool_size,
                "max_lifetime": 1800,
                # Seconds a caller waits for a connection while the server is away.
                "timeout": 2,
                # The pool's own retries back off for minutes; ours come with the next call.
                "reconnect_timeout": 0.5,
            },
        },
    }
