"""The span of a request, around the rim; none where nothing is traced, and none for probes."""

from __future__ import annotations

from typing import Any

from gateway_project import health, rim, routes
from observability import tracing
from observability.log_values import redact


async def serve(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """As `rim.serve`."""
    if not tracing.is_on() or scope["path"] in health.PATHS:
        await rim.serve(scope, receive, send)
        return
    method, path = scope["method"], scope["path"]
    route = routes.find(path)
    offered = next((value for name, value in scope["headers"] if name == tracing.RAW_HEADER), b"")
    attributes = {"http.request.method": method, "http.route": route, "url.path": redact(path)[:256]}
    with tracing.span(
        f"{method} {route}",
        kind="SERVER",
        carried=tracing.offered_by_stranger(offered),
        attributes=attributes,
    ) as span:

        async def send_and_tell(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                span.tell({"http.response.status_code": message["status"]})
            await send(message)

        await rim.serve(scope, receive, send_and_tell)
