"""A gateway in FastAPI, uvicorn and redis-py, as its makers advise: ``PORT REDIS_URL``.

Redis is asked for the key's record, and then, in one pipeline, for its count of calls, when that ends, and
the prediction.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import fastapi_parts as parts  # type: ignore[import-not-found] # found beside this script
from fastapi import Depends, FastAPI, Header, Path, Response  # type: ignore[import-not-found] # the peers'
from redis.asyncio import Redis

pool: Any


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """One pool for the process."""
    global pool
    async with Redis.from_pool(parts.make_pool()) as pool:
        yield


app = parts.make_app(lifespan)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and how often they may in an hour."""

    digest: str
    account: str
    quota: int


async def authenticated(key: Annotated[str | None, Depends(parts.api_key)]) -> Caller:
    """The owner of the key; 401 without one."""
    digest = parts.digest_of(key)
    record = await pool.hgetall(f"bench:key:{digest}")
    if not record:
        raise parts.nobody()
    return Caller(digest, record[b"account"].decode(), int(record[b"quota"]))


@app.get(parts.PATH)  # type: ignore[untyped-decorator] # of a library without types here
async def prediction(
    symbol: Annotated[str, Path(pattern=parts.SYMBOL)],
    caller: Annotated[Caller, Depends(authenticated)],
    response: Response,
    if_none_match: Annotated[str | None, Header()] = None,
) -> parts.Prediction:
    """The newest prediction of `symbol`."""
    window = parts.Window.now()
    counter = window.counter(caller.digest)
    async with pool.pipeline(transaction=False) as pipe:
        pipe.incr(counter).expire(counter, parts.WINDOW_S).get(f"pred:{symbol}")
        count, _, value = await pipe.execute()
    limits = window.limits(caller.quota, count)
    if value is None:
        raise parts.nothing(symbol, limits)
    stored = json.loads(value)
    headers = parts.headers_of(symbol, stored, limits)
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return parts.Prediction(**parts.shown(stored))


if __name__ == "__main__":
    parts.serve(app)
