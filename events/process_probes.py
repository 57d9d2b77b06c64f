"""Probes and metrics of the processes that live on NATS: the bridge and the explain workers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from django.conf import settings

from events.connection import Connection
from observability import ops_server, probes
from observability.probes import Check, Probes


@contextlib.asynccontextmanager
async def serving(role: str, connection: Connection) -> AsyncIterator[None]:
    """Answer at `OPS_PORT` meanwhile; `role` is ``bridge`` or ``worker``."""
    config = settings.GATEWAY
    checks: dict[str, Check] = {"nats": connection.version}
    if role == "bridge":
        checks["database"] = probes.ask_database
        checks["redis"] = probes.ask_redis
    about = probes.about(role)
    async with ops_server.serving(config.ops_host, config.ops_port, Probes(role, checks), about):
        yield
