"""A gateway in FastAPI, uvicorn and redis-py, tuned as far as it goes: ``PORT REDIS_URL``.

Redis is asked once: a script looks the key up, counts the call and returns the prediction. The answer is a
`Response`, which FastAPI sends as it is; its model stands in the OpenAPI document.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

import fastapi_parts as parts  # type: ignore[import-not-found] # found beside this script
from fastapi import Depends, FastAPI, Header, Path, Response  # type: ignore[import-not-found] # the peers'
from pydantic_core import from_json, to_json
from redis.asyncio import Redis

# KEYS: the key's record, its counter, the prediction. ARGV: the seconds of a window. Returns the quota, the
# count and the prediction; nothing where nobody has the key, so that strangers leave no counters.
ADMIT = """
local quota = redis.call('HGET', KEYS[1], 'quota')
if not quota then return nil end
local count = redis.call('INCR', KEYS[2])
if count == 1 then redis.call('EXPIRE', KEYS[2], ARGV[1]) end
return {quota, count, redis.call('GET', KEYS[3])}
"""
client = Redis.from_pool(parts.make_pool())
admit: Any = client.register_script(ADMIT)


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Redis' connections are closed at the end."""
    async with client:
        yield


app = parts.make_app(lifespan)


@app.get(parts.PATH, response_model=parts.Prediction)  # type: ignore[untyped-decorator] # no types here
async def prediction(
    symbol: Annotated[str, Path(pattern=parts.SYMBOL)],
    key: Annotated[str | None, Depends(parts.api_key)],
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The newest prediction of `symbol`."""
    digest, window = parts.digest_of(key), parts.Window.now()
    places = [f"bench:key:{digest}", window.counter(digest), f"pred:{symbol}"]
    found = await admit(places, [parts.WINDOW_S])
    if found is None:
        raise parts.nobody()
    quota, count, value = int(found[0]), found[1], found[2]
    limits = window.limits(quota, count)
    if value is None:
        raise parts.nothing(symbol, limits)
    stored = from_json(value)
    headers = parts.headers_of(symbol, stored, limits)
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    # It was validated when it was stored.
    shown = parts.shown(stored)
    shown.pop("epoch", None)
    shown.pop("features", None)
    return Response(to_json(shown), headers=headers, media_type="application/json")


if __name__ == "__main__":
    parts.serve(app)
