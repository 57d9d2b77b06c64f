"""The least that an ASGI application can do: one answer, always the same. Under uvicorn: ``PORT``."""

from __future__ import annotations

import sys
from typing import Any

_BODY = (
    b'{"symbol":"AAA","predicted_price":180.2,"current_price":187.25,"confidence":0.62,"horizon":"1d",'
    b'"model_version":"benchmark-1","timestamp":"2026-01-02T03:04:05.678901Z",'
    b'"as_of":"2026-01-02T03:04:05.678901Z","seq":12,"age_seconds":1.234,"stale":false}'
)
# As many as the gateway sends, and as long.
_HEADERS = [
    (b"allow", b"GET, HEAD, OPTIONS"),
    (b"content-type", b"application/json"),
    (b"vary", b"Accept-Encoding, Authorization, Origin, X-API-Key"),
    (b"cache-control", b"private, max-age=60"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"etag", b'W/"AAA-6470a5f7e7d65-4d2"'),
    (b"x-request-id", b"01234567-89ab-cdef-0123-456789abcdef"),
    (b"content-length", b"%d" % len(_BODY)),
]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer whatever is asked."""
    if scope["type"] != "http":
        raise ValueError(f"no support for {scope['type']}")
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        backlog=2048,
        proxy_headers=False,
        server_header=False,
        log_level="warning",
        access_log=False,
    )
