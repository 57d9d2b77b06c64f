"""The probes of a server process, answered at the rim: they need no thread, no credential and no limit.

Alive touches nothing. Ready is 503 while something is away without which this role has nothing to give.
``/health`` tells of each dependency; it is 503 while one that is critical is away.
"""

from __future__ import annotations

import msgspec
from django.conf import settings

from events import relay
from gateway_project.problems import CONTENT_TYPE, problem
from observability import health_report, probes
from observability.health_report import ALIVE_PATHS, READY_PATHS
from observability.per_loop import PerLoop
from observability.probes import Check, NotThere, Probes
from realtime import hub

_JSON = "application/json"
_SINGLE = {"/health/db": "database", "/health/cache": "redis"}
PATHS = frozenset({"/health", *ALIVE_PATHS, *READY_PATHS, *_SINGLE})


async def answer(path: str) -> tuple[int, str, bytes]:
    """Status, content type and body for one of `PATHS`."""
    if path in ALIVE_PATHS:
        return 200, _JSON, health_report.ALIVE
    found = await _probes.current(_make).look()
    if path in READY_PATHS:
        return _ready(path, health_report.why_not_ready(found))
    if path in _SINGLE:
        one = found[_SINGLE[path]]
        return (200 if one.status == "up" else 503), _JSON, msgspec.json.encode(one)
    told = health_report.report(found, probes.about(settings.GATEWAY.gateway_role))
    return (503 if told["status"] == "unhealthy" else 200), _JSON, msgspec.json.encode(told)


async def watch_for_ever() -> None:
    """Ask the dependencies every few seconds, for Prometheus."""
    await _probes.current(_make).watch_for_ever()


async def stop_current() -> None:
    """Close what the checks of the running event loop hold."""
    _probes.take_away()
    await probes.stop_current()


def _ready(path: str, why_not: str) -> tuple[int, str, bytes]:
    if not why_not:
        return 200, _JSON, health_report.READY
    body = problem("NOT_READY", path=path, detail=why_not)
    return 503, CONTENT_TYPE, msgspec.json.encode(body)


async def _ask_nats() -> str | None:
    return await relay.current_version()


async def _ask_bridge() -> str | None:
    if not hub.current().is_current():
        raise NotThere("no bridge was heard for three seconds")
    return None


_probes: PerLoop[Probes] = PerLoop()


def _make() -> Probes:
    role = settings.GATEWAY.gateway_role
    checks: dict[str, Check] = {
        "database": probes.ask_database,
        "redis": probes.ask_redis,
        "nats": _ask_nats,
        "bridge": _ask_bridge,
    }
    return Probes(role, checks)
