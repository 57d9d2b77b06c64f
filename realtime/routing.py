"""Which consumer answers which socket path."""

from __future__ import annotations

from typing import Any, cast

from channels.routing import URLRouter
from django.urls import path, re_path

from realtime.consumers import PredictionConsumer


async def refuse_unknown_path(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """404 instead of a handshake, for a path that no consumer answers."""
    await receive()
    await send(
        {
            "type": "websocket.http.response.start",
            "status": 404,
            "headers": [(b"content-type", b"text/plain; charset=utf-8")],
        }
    )
    body = b"There is no WebSocket here; predictions are at /ws/predictions.\n"
    await send({"type": "websocket.http.response.body", "body": body})


websocket_application = URLRouter(
    [
        path("ws/predictions", PredictionConsumer.as_asgi()),
        re_path(r"", cast(Any, refuse_unknown_path)),
    ]
)
