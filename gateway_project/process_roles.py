"""What the processes of `manage.py serve --role` answer, and how they refuse the rest."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from accounts.callers import ANONYMOUS
from gateway_project import addresses, bookkeeping, cors, refusals, routes, security_headers
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
    began_s, address = time.perf_counter(), addresses.find(scope)
    request_id = request_context.of_headers(scope["headers"])
    request_context.bind(request_id, address=address)
    detail = "This process serves WebSockets only (role ws); HTTP is at the processes of role web."
    body = msgspec.json.encode(problem("NOT_FOUND", path=scope["path"], detail=detail))
    more = [
        (b"connection", b"close"),  # a body that is still on its way is not read
        (request_context.RAW_HEADER, request_id.encode("ascii")),
        *cors.headers_for(scope["path"], scope["headers"]),
        *security_headers.of_scheme(addresses.scheme_of(scope)),
    ]
    headers = refusals.uncached(CONTENT_TYPE.encode(), body, more)
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    bookkeeping.count_answer(
        ANONYMOUS,
        method=scope["method"],
        route=routes.UNMATCHED,
        path=scope["path"],
        status=404,
        seconds=time.perf_counter() - began_s,
        bytes_in=0,
        bytes_out=len(body),
        request_id=request_id,
        address=address,
        agent=b"",
    )


async def refuse_socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """404 with the reason instead of a handshake, from a process that has no WebSockets."""
    await receive()
    own_id = (request_context.RAW_HEADER, request_context.of_headers(scope["headers"]).encode("ascii"))
    headers = [(b"content-type", b"text/plain; charset=utf-8"), own_id, *security_headers.OF_DATA]
    await send({"type": "websocket.http.response.start", "status": 404, "headers": headers})
    body = b"This process serves no WebSockets (role web); they are at the processes of role ws.\n"
    await send({"type": "websocket.http.response.body", "body": body})
