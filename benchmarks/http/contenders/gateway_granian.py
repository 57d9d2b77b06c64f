"""The gateway on granian, as a trial: hot reads first, in front of the rim, as its own server answers them.

Not a way to deploy it (docs/adr/0013). granian offers no place before ASGI, so a hot read costs a task, a
scope and two messages here.
"""

from __future__ import annotations

from typing import Any

# `asgi` configures Django; it comes first.
from gateway_project import asgi, hot_reads
from gateway_project.addresses import RawHeaders
from gateway_project.hot_answers import Ready
from gateway_project.hot_conditions import Conditions
from realtime import hub

_MOST_KEPT = 1024
# By the address of the peer and the headers: which connection a request came over is not told.
_kept: dict[tuple[Any, ...], Conditions] = {}


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A hot read, or what the gateway answers."""
    ready = await _answer_hot(scope) if scope["type"] == "http" else None
    if ready is None:
        await asgi.application(scope, receive, send)
        return
    headers = [*ready.house.pairs, *ready.headers]
    await send({"type": "http.response.start", "status": ready.status, "headers": headers})
    await send({"type": "http.response.body", "body": ready.body})


async def _answer_hot(scope: dict[str, Any]) -> Ready | None:
    target: bytes = scope["raw_path"]
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    plan = hot_reads.find_plan(target)
    if plan is None:
        return None
    conditions = _conditions(scope["headers"], scope["client"][0])
    ready = hot_reads.at_once(scope["method"].encode(), plan, conditions, hub.current().board)
    return await ready.answer() if isinstance(ready, hot_reads.Limited) else ready


def _conditions(headers: RawHeaders, peer: str) -> Conditions:
    key = (peer, *headers)
    found = _kept.get(key)
    if found is None:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        found = _kept[key] = Conditions(headers, peer)
    return found
