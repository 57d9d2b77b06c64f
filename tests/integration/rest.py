"""What the REST tests share: the form that every error has, and requests to the letter."""

from __future__ import annotations

import http.client
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.people import Key
from tests.stack import Stack

PROBLEM = "application/problem+json"


def raw_get(stack: Stack, target: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """GET `target` to the letter: no client library puts the path in order."""
    place = urlsplit(stack.base_url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=60)
    try:
        connection.putrequest("GET", target, skip_accept_encoding=True)
        for name, value in {"X-API-Key": stack.key, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def order_explanation(
    stack: Stack, who: Key, symbol: str, depth: str = "fast", **headers: str
) -> httpx.Response:
    """The answer to an order."""
    return httpx.post(
        f"{stack.base_url}/api/explanation/{symbol}",
        json={"depth": depth},
        headers={**who.header, **headers},
        timeout=60,
    )


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check the form that every error has; returns the body."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["error"]) == (status, code), body
    assert response.headers["content-type"] == PROBLEM
    assert body["status"] == status
    assert body["type"] == f"/errors/{code}"
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == response.request.url.path
    assert body["request_id"] == response.headers["x-request-id"]
    assert datetime.fromisoformat(body["timestamp"]) <= datetime.now(UTC) + timedelta(seconds=1)
    return body
