"""What the processes of `manage.py serve --role` answer, and how they refuse the rest."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway_project import cors, refusals
from gateway_project.problems import CONTENT_TYPE, problem
from observability import request_context

_PROBES = frozenset({"/health", "/liveness", "/readiness", "/version", "/metrics"})


def answers_sockets(role: str) -> bool:
    """True for processes with WebSockets."""
    return role != "web"


def answers_http(role: str, path: str) -> bool:
    """True for what a process answers over HTTP at `path`; every one answers those who watch it."""
    return role != "ws" or path in _PROBES or path.startswith("/health/")


async def refuse_http(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """404 with the reason, from a process that has only WebSockets."""
    offered = next((value for name, value in scope["headers"] if name == request_context.RAW_HEADER), b"")
    request_context.bind(request_context.accept_or_make(offered.decode("latin-1")))
    detail = "This process serves WebSockets only (role ws); HTTP is at the processes of role web."
    body = msgspec.json.encode(problem("NOT_FOUND", path=scope["path"], detail=detail))
    more = [
        (b"connection", b"close"),  # a body that is still on its way is not read
        (request_context.RAW_HEADER, request_context.current().encode("ascii")),
        *cors.headers_for(scope["path"], scope["headers"]),
    ]
    headers = refusals.uncached(CONTENT_TYPE.encode(), body, more)
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse_socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """404 with the reason instead of a handshake, from a process that has no WebSockets."""
    await receive()
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "websocket.http.response.start", "status": 404, "headers": headers})
    body = b"This process serves no WebSockets (role web); they are at the processes of role ws.\n"
    await send({"type": "websocket.http.response.body", "body": body})
