"""The gateway's Django behind Django's own ASGI handler, without the rim and its threads: ``PORT``."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from django.core.handlers.asgi import ASGIHandler
from django.db import connections

# Configures Django; it comes first.
from gateway_project import asgi

_django = ASGIHandler()
# Its threads do not come back for the connections that they would keep.
connections.databases["default"]["CONN_MAX_AGE"] = 0


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Django answers; the lifespan is the gateway's, so that records of keys are in memory here too."""
    answer: Any = asgi.application if scope["type"] == "lifespan" else _django
    await answer(scope, receive, send)


if __name__ == "__main__":
    uvicorn.run(
        application,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="on",
        backlog=2048,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
    )
