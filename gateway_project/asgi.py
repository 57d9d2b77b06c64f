"""The ASGI application: request id at the rim, HTTP to Django in one thread pool, sockets to Channels.

It answers `lifespan` itself (Django and Channels do not) and closes there what the process holds.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any, cast

import msgspec
from a2wsgi import WSGIMiddleware

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")

from django.conf import settings

from gateway_project import bodies
from gateway_project.problems import CONTENT_TYPE, problem
from gateway_project.wsgi import application as django_wsgi
from observability import request_context
from predictions import newest
from realtime import hub
from realtime.routing import websocket_application

_REQUEST_ID = request_context.HEADER.lower().encode()

# WSGI in a fixed number of threads costs a fifth of Django's own ASGI handler, which starts threads per
# request (docs/adr/0001).
django_application: Any = WSGIMiddleware(cast(Any, django_wsgi), workers=settings.GATEWAY.worker_threads)

# Beyond this many the caller is told to come back instead of waiting for a thread without an end.
_admission = asyncio.Semaphore(64 * settings.GATEWAY.worker_threads)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The one entry point of every server process."""
    if scope["type"] == "http":
        await _serve_http(scope, receive, send)
    elif scope["type"] == "websocket":
        await websocket_application(scope, receive, send)
    elif scope["type"] == "lifespan":
        await _live(receive, send)
    else:
        raise ValueError(f"no support for {scope['type']}")


async def _serve_http(scope: dict[str, Any], receive: Any, send: Any) -> None:
    offered = next((value for name, value in scope["headers"] if name == _REQUEST_ID), b"")
    request_id = request_context.accept_or_make(offered.decode("latin-1"))
    request_context.bind(request_id)
    own_id = (_REQUEST_ID, request_id.encode("ascii"))

    async def send_with_id(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], own_id]
        await send(message)

    if scope["path"] == "/health/live" and scope["method"] in ("GET", "HEAD"):
        # Touches nothing: it must answer while every thread is busy.
        await _answer(send_with_id, 200, b"application/json", b'{"status":"alive"}')
        return
    # WSGI cannot tell X_API_Key from X-API-Key, and a proxy in front strips only one of them.
    headers = [(n, v) for n, v in scope["headers"] if n != _REQUEST_ID and b"_" not in n]
    try:
        receive = await bodies.receive_whole(scope, receive)
    except bodies.ClientGone:
        return
    except bodies.BodyTooLarge:
        await _refuse(send_with_id, scope, "PAYLOAD_TOO_LARGE")
        return
    except bodies.BodyTooSlow:
        await _refuse(send_with_id, scope, "REQUEST_TIMEOUT")
        return
    if _admission.locked():
        await _refuse(send_with_id, scope, "OVERLOADED", retry_after_s=1)
        return
    async with _admission:
        await django_application({**scope, "headers": [*headers, own_id]}, receive, send_with_id)


async def _refuse(send: Any, scope: dict[str, Any], code: str, *, retry_after_s: int | None = None) -> None:
    extra: dict[str, Any] = {} if retry_after_s is None else {"retry_after": retry_after_s}
    body = problem(code, path=scope["path"], **extra)
    headers = [(b"connection", b"close")]
    if retry_after_s is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    content = msgspec.json.encode(body)
    await _answer(send, body["status"], CONTENT_TYPE.encode(), content, *headers)


async def _answer(
    send: Any, status: int, content_type: bytes, body: bytes, *more: tuple[bytes, bytes]
) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            hub.current()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await hub.stop_current()
            newest.store().close()
            await send({"type": "lifespan.shutdown.complete"})
            return
