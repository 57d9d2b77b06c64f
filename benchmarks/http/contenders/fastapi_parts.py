"""What both gateways in FastAPI have in common: the application, its answers, how it is served."""

from __future__ import annotations

import hashlib
import os
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException  # type: ignore[import-not-found] # only the peers have it
from fastapi.security import APIKeyHeader  # type: ignore[import-not-found] # as above
from pydantic import BaseModel
from redis.asyncio import BlockingConnectionPool

WINDOW_S = 3600
STALE_AFTER_S = float(os.environ.get("STALE_AFTER_S", "300"))
PATH = "/api/prediction/{symbol}"
SYMBOL = "^[A-Z]{1,5}$"
api_key = APIKeyHeader(name="X-API-Key", auto_error=False)


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


class Prediction(BaseModel):
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


@dataclass(frozen=True, slots=True)
class Window:
    """The hour in which a call is counted."""

    number: int
    passed_s: int

    @classmethod
    def now(cls) -> Window:
        """The one that is."""
        return cls(*divmod(int(time.time()), WINDOW_S))

    def counter(self, digest: str) -> str:
        """Where the calls of a key are counted."""
        return f"bench:count:{digest}:{self.number}"

    def limits(self, quota: int, count: int) -> dict[str, str]:
        """The headers that tell of `count` calls; raises 429 where they are too many."""
        headers = {
            "X-RateLimit-Limit": str(quota),
            "X-RateLimit-Remaining": str(max(0, quota - count)),
            "X-RateLimit-Reset": str((self.number + 1) * WINDOW_S),
        }
        if count > quota:
            raise HTTPException(429, headers={**headers, "Retry-After": str(WINDOW_S - self.passed_s)})
        return headers


def make_app(lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]) -> FastAPI:
    """An application without routes yet."""
    app = FastAPI(lifespan=lifespan)
    app.add_middleware(RequestId)
    return app


def make_pool() -> Any:
    """Connections to Redis; whoever finds all of them taken waits for one."""
    return BlockingConnectionPool.from_url(sys.argv[2], max_connections=100, timeout=None)


def digest_of(key: str | None) -> str:
    """What a key is stored under."""
    return hashlib.sha256((key or "").encode()).hexdigest()


def nobody() -> HTTPException:
    """Nobody has this key."""
    return HTTPException(401, "This API key is not valid.")


def nothing(symbol: str, limits: dict[str, str]) -> HTTPException:
    """There is no prediction."""
    return HTTPException(404, f"There is no prediction for {symbol}.", headers=limits)


def headers_of(symbol: str, stored: dict[str, Any], limits: dict[str, str]) -> dict[str, str]:
    """What an answer bears."""
    return {
        **limits,
        "ETag": f'W/"{symbol}-{stored["timestamp"]}-{stored["seq"]}"',
        "Cache-Control": "private, max-age=60",
        "Vary": "Authorization, X-API-Key",
    }


def shown(stored: dict[str, Any]) -> dict[str, Any]:
    """The fields of a `Prediction`, and what is stored beside them."""
    age_s = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(stored["timestamp"])).total_seconds())
    return {
        "as_of": stored["timestamp"],
        **stored,
        "age_seconds": round(age_s, 3),
        "stale": age_s > STALE_AFTER_S,
    }


def serve(app: FastAPI) -> None:
    """Serve at the port that the command line names."""
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
