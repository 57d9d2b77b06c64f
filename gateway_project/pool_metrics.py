"""The pool of connections to Postgres, for Prometheus."""

from __future__ import annotations

from typing import Any, cast

from django.db.backends.postgresql.base import DatabaseWrapper

from observability import metrics


def sample() -> None:
    """Bring the metrics up to date; where there is no pool (SQLite, nothing asked yet) they stay 0."""
    pools: dict[str, Any] = cast(Any, DatabaseWrapper)._connection_pools
    for pool in pools.values():
        stats = pool.get_stats()
        idle = stats.get("pool_available", 0)
        metrics.pool_connections.labels("idle").set(idle)
        metrics.pool_connections.labels("used").set(stats.get("pool_size", 0) - idle)
        metrics.pool_waiting.set(stats.get("requests_waiting", 0))
