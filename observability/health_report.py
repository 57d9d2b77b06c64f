"""What the probes say, as answers: ready or not, and the whole report. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from observability.probes import Dependency

ALIVE_PATHS = frozenset({"/health/live", "/health/liveness", "/liveness"})
READY_PATHS = frozenset({"/health/ready", "/health/readiness", "/readiness"})

ALIVE = b'{"status":"alive"}'
READY = b'{"status":"ready"}'


def status_of(dependencies: Mapping[str, Dependency]) -> str:
    """``healthy``; ``degraded`` while something is away that can be done without; else ``unhealthy``."""
    away = [one for one in dependencies.values() if one.status != "up"]
    if not away:
        return "healthy"
    return "unhealthy" if any(one.critical for one in away) else "degraded"


def why_not_ready(dependencies: Mapping[str, Dependency]) -> str:
    """Which of those that are needed do not answer; empty where the process is ready."""
    return "; ".join(
        f"{name} is needed and is away: {one.detail}"
        for name, one in dependencies.items()
        if one.critical and one.status != "up"
    )


def report(dependencies: Mapping[str, Dependency], about: Mapping[str, Any]) -> dict[str, Any]:
    """The body of ``/health``; `about` is what the process says of itself."""
    return {"status": status_of(dependencies), **about, "dependencies": dict(dependencies)}
