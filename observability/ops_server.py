"""A small HTTP server beside the work of a process that answers no callers: its probes and its metrics."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import msgspec
import uvicorn

from observability import exposition, health_report
from observability.probes import Probes
from observability.tasks import end

_JSON = b"application/json"


class _Server(uvicorn.Server):
    """One that leaves the signals to the process whose work it stands beside."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(host: str, port: int, probes: Probes, about: Mapping[str, Any]) -> AsyncIterator[None]:
    """Answer at `host`:`port` meanwhile, and sample the metrics; port 0 does the sampling alone.

    Raises `SystemExit` of uvicorn where the port is taken.
    """
    beside = [
        asyncio.create_task(exposition.sample_for_ever()),
        asyncio.create_task(probes.watch_for_ever()),
    ]
    server = _Server(
        uvicorn.Config(
            _application(probes, about),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
            limit_concurrency=20,
        )
    )
    answering = asyncio.create_task(server.serve()) if port else None
    try:
        yield
    finally:
        server.should_exit = True
        await end(beside)
        if answering is not None:
            await asyncio.gather(answering, return_exceptions=True)


def _application(probes: Probes, about: Mapping[str, Any]) -> Any:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        status, kind, body = await _answer(scope["method"], scope["path"], probes, about)
        headers = [
            (b"content-type", kind),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return application


async def _answer(
    method: str, path: str, probes: Probes, about: Mapping[str, Any]
) -> tuple[int, bytes, bytes]:
    if method not in ("GET", "HEAD"):
        return 405, _JSON, b'{"status":"only GET and HEAD"}'
    if path in health_report.ALIVE_PATHS:
        return 200, _JSON, health_report.ALIVE
    if path == "/metrics":
        exposition.sample()
        text = await asyncio.get_running_loop().run_in_executor(None, exposition.render)
        return 200, exposition.CONTENT_TYPE.encode(), text
    if path in health_report.READY_PATHS:
        return _ready(health_report.why_not_ready(await probes.look()))
    if path == "/health":
        found = health_report.report(await probes.look(), about)
        return (503 if found["status"] == "unhealthy" else 200), _JSON, msgspec.json.encode(found)
    return 404, _JSON, b'{"status":"there is /health, /health/ready, /health/live and /metrics"}'


def _ready(why_not: str) -> tuple[int, bytes, bytes]:
    if not why_not:
        return 200, _JSON, health_report.READY
    return 503, _JSON, msgspec.json.encode({"status": "not ready", "detail": why_not})
