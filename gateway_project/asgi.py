"""The ASGI application: HTTP to the rim, sockets to Channels.

It answers `lifespan` itself (Django and Channels do not) and closes there what the process holds.
"""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")

import django
from django.conf import settings

django.setup()

from explanations import asking, store
from explanations import stored as explanations_stored
from gateway_project import addresses, background, health, hot_reads, process_roles, traced
from observability import collector
from predictions import newest, stored
from realtime import hub, leases, presence, revocation
from realtime.routing import websocket_application

_ROLE: str = settings.GATEWAY.gateway_role


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The one entry point of every server process."""
    if scope["type"] == "http":
        background.start()
        is_ours = process_roles.answers_http(_ROLE, scope["path"])
        await (traced.serve if is_ours else process_roles.refuse_http)(scope, receive, send)
    elif scope["type"] == "websocket" and not process_roles.answers_sockets(_ROLE):
        await process_roles.refuse_socket(scope, receive, send)
    elif scope["type"] == "websocket":
        background.start()
        await websocket_application({**scope, "client": (addresses.find(scope), 0)}, receive, send)
    elif scope["type"] == "lifespan":
        await _live(receive, send)
    else:
        raise ValueError(f"no support for {scope['type']}")


async def _live(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            if process_roles.answers_sockets(_ROLE) or settings.GATEWAY.hot_reads:
                # Those who come back at once are served from memory, and so are the first reads.
                await hub.current().until_filled()
            hot_reads.prepare()
            background.start()
            collector.settle()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await presence.stop_current()
            await hub.stop_current()
            await leases.stop_current()
            await revocation.stop_current()
            await background.stop()
            await stored.stop_current()
            await explanations_stored.stop_current()
            asking.stop_current()
            await health.stop_current()
            newest.store().close()
            store.store().close()
            await send({"type": "lifespan.shutdown.complete"})
            return
