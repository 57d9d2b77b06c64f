"""What the processes of the gateway depend on, and whether it answers.

A check has a deadline, is asked at most once a second however many ask, and never fails: what went wrong is
in its result. What it means for a role that one of them is away is the table below.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.conf import settings
from django.db import connection

from observability import blocking, metrics
from observability.per_loop import PerLoop
from observability.redis_link import RedisLink, RedisRefused, RedisUnavailable
from observability.version import COMMIT, NAME, VERSION

logger = logging.getLogger(__name__)

DEADLINE_S = 2.0
_FRESH_S = 1.0
_WATCH_EVERY_S = 5.0
_STARTED_S = time.time()

# Without these a process of the role has nothing to give. What is not in here makes it slower, or poorer:
# reads without Redis come from Postgres, orders without NATS wait in the outbox, without a bridge what is
# read grows old.
NEEDED: Mapping[str, frozenset[str]] = {
    "all": frozenset({"database"}),
    "web": frozenset({"database"}),
    "ws": frozenset({"database", "redis"}),
    "bridge": frozenset({"database", "nats"}),
    "worker": frozenset({"nats"}),
}


class Dependency(msgspec.Struct, frozen=True):
    """One of them, as ``/health`` tells it. `detail` is empty while it is up; it never holds an address."""

    status: str
    critical: bool
    latency_ms: float | None
    version: str | None
    last_success: datetime | None
    detail: str = ""


@dataclass(slots=True)
class _Known:
    is_up: bool = False
    latency_s: float | None = None
    version: str | None = None
    last_success: datetime | None = None
    detail: str = "not asked yet"


Check = Callable[[], Awaitable[str | None]]
"""Asks a dependency; returns its version where it tells one, raises where it does not answer."""


class NotThere(Exception):
    """A dependency is away; the text says how that shows, and may be shown to anybody."""


class Probes:
    """The dependencies of a process of `role`. Lives in one event loop."""

    def __init__(self, role: str, checks: Mapping[str, Check]) -> None:
        self._needed = NEEDED[role]
        self._checks = checks
        self._known = {name: _Known() for name in checks}
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def look(self) -> dict[str, Dependency]:
        """How they stand, at most a second old; within `DEADLINE_S`."""
        if time.monotonic() - self._asked_at >= _FRESH_S:
            if self._asking is None:
                self._asking = asyncio.get_running_loop().create_task(self._ask_all())
            await asyncio.shield(self._asking)
        return {
            name: Dependency(
                status="up" if known.is_up else "down",
                critical=name in self._needed,
                latency_ms=None if known.latency_s is None else round(known.latency_s * 1000, 3),
                version=known.version,
                last_success=known.last_success,
                detail=known.detail,
            )
            for name, known in self._known.items()
        }

    async def watch_for_ever(self) -> None:
        """Look every few seconds, for Prometheus."""
        while True:
            await self.look()
            await asyncio.sleep(_WATCH_EVERY_S)

    async def _ask_all(self) -> None:
        try:
            await asyncio.gather(*map(self._ask, self._checks))
            self._asked_at = time.monotonic()
        finally:
            self._asking = None

    async def _ask(self, name: str) -> None:
        known, began = self._known[name], time.perf_counter()
        try:
            async with asyncio.timeout(DEADLINE_S):
                known.version = await self._checks[name]() or known.version
        except TimeoutError:
            known.is_up, known.detail = False, f"no answer within {DEADLINE_S:g} s"
        except NotThere as error:
            known.is_up, known.detail = False, str(error)
        except Exception as error:
            logger.debug("the check of %s failed", name, exc_info=True)
            known.is_up, known.detail = False, type(error).__name__
        else:
            known.is_up, known.detail = True, ""
            known.latency_s = time.perf_counter() - began
            known.last_success = datetime.now(UTC)
            metrics.dependency_latency.labels(name).set(known.latency_s)
        metrics.dependency_up.labels(name).set(known.is_up)


async def ask_database() -> str | None:
    """The version of the database."""
    return await blocking.run(_ask_database)


def _ask_database() -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT sqlite_version()")
            return f"SQLite {cursor.fetchone()[0]}"
        cursor.execute("SHOW server_version")
        return str(cursor.fetchone()[0])


async def ask_redis() -> str | None:
    """The version of Redis, or of what speaks like it; raises `NotThere`."""
    link = _links.current(lambda: RedisLink(settings.GATEWAY.redis_url, name="health"))
    try:
        told: bytes = await link.call("INFO", "server")
    except (RedisUnavailable, RedisRefused):
        raise NotThere("Redis does not answer") from None
    facts = dict(line.split(":", 1) for line in told.decode("latin-1").splitlines() if ":" in line)
    for name, title in (("valkey_version", "Valkey"), ("redis_version", "Redis")):
        if name in facts:
            return f"{title} {facts[name]}"
    return None


async def stop_current() -> None:
    """Close what the checks of the running event loop hold."""
    if (link := _links.take_away()) is not None:
        await link.close()


def about(role: str) -> dict[str, Any]:
    """What a process of `role` says of itself."""
    return {
        "name": NAME,
        "version": VERSION,
        "commit": COMMIT,
        "role": role,
        "uptime_s": round(time.time() - _STARTED_S, 1),
    }


_links: PerLoop[RedisLink] = PerLoop()
