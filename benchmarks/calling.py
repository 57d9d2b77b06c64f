"""Calls to a running gateway over one kept connection, without a library beside the standard one."""

from __future__ import annotations

import asyncio
import http.client
import json
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit


class Caller:
    """One connection and a key; calls wait for each other."""

    def __init__(self, url: str, key: str) -> None:
        place = urlsplit(url)
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
        self._key = key

    async def __aenter__(self) -> Caller:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    async def get(self, path: str) -> dict[str, Any]:
        """The body of a GET, which must be a 200."""
        status, body = await self.try_get(path)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {body}")
        return body

    async def try_get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and body of a GET."""
        return await asyncio.to_thread(self._call, "GET", path, None, {})

    async def post(self, path: str, body: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
        """Status and body of a POST."""
        return await asyncio.to_thread(self._call, "POST", path, json.dumps(body), headers)

    def _call(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        sent = {"X-API-Key": self._key, **headers}
        if body is not None:
            sent["Content-Type"] = "application/json"
        self._connection.request(method, path, body, sent)
        answer = self._connection.getresponse()
        read: dict[str, Any] = json.loads(answer.read())
        return answer.status, read
