"""A gateway in FastAPI, uvicorn and redis-py, as its makers advise: ``PORT REDIS_URL``.

Redis is asked for the key's record, and then, in one pipeline, for its count of calls, when that ends, and
the prediction.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Path, Response  # type: ignore[import-not-found]
from fastapi.security import APIKeyHeader  # type: ignore[import-not-found]
from pydantic import BaseModel  # type: ignore[import-not-found]
from redis.asyncio import BlockingConnectionPool, Redis

WINDOW_S = 3600
STALE_AFTER_S = float(os.environ.get("STALE_AFTER_S", "300"))

pool: Any


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """One pool for the process; whoever finds all connections taken waits for one."""
    global pool
    connections = BlockingConnectionPool.from_url(sys.argv[2], max_connections=100, timeout=None)
    async with Redis.from_pool(connections) as pool:
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


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and how often they may in an hour."""

    digest: str
    account: str
    quota: int


async def authenticated(key: Annotated[str | None, Depends(api_key)]) -> Caller:
    """The owner of the key; 401 without one."""
    digest = hashlib.sha256((key or "").encode()).hexdigest()
    record = await pool.hgetall(f"bench:key:{digest}")
    if not record:
        raise HTTPException(401, "This API key is not valid.")
    return Caller(digest, record[b"account"].decode(), int(record[b"quota"]))


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


@app.get("/api/prediction/{symbol}")  # type: ignore[untyped-decorator]
async def prediction(
    symbol: Annotated[str, Path(pattern="^[A-Z]{1,5}$")],
    caller: Annotated[Caller, Depends(authenticated)],
    response: Response,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Prediction:
    """The newest prediction of `symbol`."""
    window, passed_s = divmod(int(time.time()), WINDOW_S)
    counter = f"bench:count:{caller.digest}:{window}"
    async with pool.pipeline(transaction=False) as pipe:
        count, _, value = await pipe.incr(counter).expire(counter, WINDOW_S).get(f"pred:{symbol}").execute()
    limits = {
        "X-RateLimit-Limit": str(caller.quota),
        "X-RateLimit-Remaining": str(max(0, caller.quota - count)),
        "X-RateLimit-Reset": str((window + 1) * WINDOW_S),
    }
    if count > caller.quota:
        raise HTTPException(429, headers={**limits, "Retry-After": str(WINDOW_S - passed_s)})
    if value is None:
        raise HTTPException(404, f"There is no prediction for {symbol}.", headers=limits)
    stored = json.loads(value)
    tag = f'W/"{symbol}-{stored["timestamp"]}-{stored["seq"]}"'
    headers = {
        **limits,
        "ETag": tag,
        "Cache-Control": "private, max-age=60",
        "Vary": "Authorization, X-API-Key",
    }
    if if_none_match == tag:
        return Response(status_code=304, headers=headers)  # type: ignore[no-any-return]
    response.headers.update(headers)
    age_s = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(stored["timestamp"])).total_seconds())
    return Prediction(
        **{"as_of": stored["timestamp"], **stored}, age_seconds=round(age_s, 3), stale=age_s > STALE_AFTER_S
    )


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
