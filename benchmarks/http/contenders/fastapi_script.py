"""A gateway in FastAPI, uvicorn and redis-py, tuned as far as it goes: ``PORT REDIS_URL``.

Redis is asked once: a script looks the key up, counts the call and returns the prediction. The answer is a
`Response`, which FastAPI sends as it is; its model stands in the OpenAPI document.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Path, Response  # type: ignore[import-not-found]
from fastapi.security import APIKeyHeader  # type: ignore[import-not-found]
from pydantic import BaseModel  # type: ignore[import-not-found]
from pydantic_core import from_json, to_json  # type: ignore[import-not-found]
from redis.asyncio import BlockingConnectionPool, Redis

WINDOW_S = 3600
STALE_AFTER_S = float(os.environ.get("STALE_AFTER_S", "300"))

# KEYS: the key's record, its counter, the prediction. ARGV: the seconds of a window. Returns the quota, the
# count and the prediction; nothing where nobody has the key, so that strangers leave no counters.
ADMIT = """
local quota = redis.call('HGET', KEYS[1], 'quota')
if not quota then return nil end
local count = redis.call('INCR', KEYS[2])
if count == 1 then redis.call('EXPIRE', KEYS[2], ARGV[1]) end
return {quota, count, redis.call('GET', KEYS[3])}
"""
# Whoever finds all connections taken waits for one.
pool: Any = BlockingConnectionPool.from_url(sys.argv[2], max_connections=100, timeout=None)
client = Redis.from_pool(pool)
admit: Any = client.register_script(ADMIT)


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Redis' connections are closed at the end."""
    async with client:
        yield


class RequestId:
    """Middleware that takes over the caller's X-Request-ID or makes one, and answers with it."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Plain ASGI: a `BaseHTTPMiddleware` costs several times as much."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        offered = next((value for name, value in scope["headers"] if name == b"x-request-id"), None)
        request_id = offered or uuid.uuid4().hex.encode()

        async def send_with_id(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-request-id", request_id))
            await send(message)

        await self._app(scope, receive, send_with_id)


app = FastAPI(lifespan=lifespan)
app.add_middleware(RequestId)
api_key = APIKeyHeader(name="X-API-Key", auto_error=False)


class Prediction(BaseModel):  # type: ignore[misc]
    """What is answered."""

    symbol: str
    predicted_price: float
    current_price: float
    confidence: float
    horizon: str
    model_version: str
    timestamp: datetime
    as_of: datetime
    seq: int | None
    age_seconds: float
    stale: bool


@app.get("/api/prediction/{symbol}", response_model=Prediction)  # type: ignore[untyped-decorator]
async def prediction(
    symbol: Annotated[str, Path(pattern="^[A-Z]{1,5}$")],
    key: Annotated[str | None, Depends(api_key)],
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The newest prediction of `symbol`."""
    digest = hashlib.sha256((key or "").encode()).hexdigest()
    window, passed_s = divmod(int(time.time()), WINDOW_S)
    counter = f"bench:count:{digest}:{window}"
    found = await admit([f"bench:key:{digest}", counter, f"pred:{symbol}"], [WINDOW_S])
    if found is None:
        raise HTTPException(401, "This API key is not valid.")
    quota, count, value = int(found[0]), found[1], found[2]
    limits = {
        "X-RateLimit-Limit": str(quota),
        "X-RateLimit-Remaining": str(max(0, quota - count)),
        "X-RateLimit-Reset": str((window + 1) * WINDOW_S),
    }
    if count > quota:
        raise HTTPException(429, headers={**limits, "Retry-After": str(WINDOW_S - passed_s)})
    if value is None:
        raise HTTPException(404, f"There is no prediction for {symbol}.", headers=limits)
    stored = from_json(value)
    tag = f'W/"{symbol}-{stored["timestamp"]}-{stored["seq"]}"'
    headers = {
        **limits,
        "ETag": tag,
        "Cache-Control": "private, max-age=60",
        "Vary": "Authorization, X-API-Key",
    }
    if if_none_match == tag:
        return Response(status_code=304, headers=headers)
    return Response(to_json(shown(stored)), headers=headers, media_type="application/json")


def shown(stored: dict[str, Any]) -> dict[str, Any]:
    """The fields of a `Prediction`; it was validated when it was stored."""
    age_s = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(stored["timestamp"])).total_seconds())
    stored.pop("epoch", None)
    stored.pop("features", None)
    return {
        "as_of": stored["timestamp"],
        **stored,
        "age_seconds": round(age_s, 3),
        "stale": age_s > STALE_AFTER_S,
    }


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        backlog=2048,
        proxy_headers=False,
        server_header=False,
        log_level="warning",
        access_log=False,
    )
