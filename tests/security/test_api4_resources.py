"""OWASP API4: what a caller can make the gateway spend is bounded, and others are served meanwhile.

Slow and huge bodies and heads are in tests/integration/test_rim.py and test_hardening.py, limits in
test_limits.py, frames in test_frames.py.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import select
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration import raw
from tests.people import add_key, add_tier
from tests.stack import Stack, event, eventually

JSON = b"Content-Type: application/json\r\n"
WITHIN_S = 60
NEIGHBOURS_WITHIN_S = 5
"""Nobody else waits for as long, whatever one caller has sent."""
NEIGHBOURS_SYMBOL = "NEXTD"


def bombing(stack: Stack) -> dict[str, str]:
    """Headers of JSON, with a key that may do everything that keys may."""
    scopes = '["keys:write", "predictions:read", "explanations:write", "stream"]'
    return {"Content-Type": "application/json", **add_key(stack, "enterprise", scopes=scopes).header}


def post(stack: Stack, path: str, body: bytes, **headers: str) -> httpx.Response:
    """POST `body` as JSON."""
    given = bombing(stack) | headers
    return httpx.post(stack.base_url + path, content=body, headers=given, timeout=WITHIN_S)


BOMBS = {
    "deep arrays": b"[" * 200_000 + b"]" * 200_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a deep value": b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "never closed": b'{"name":' + b"[" * 500_000,
    "a number of many digits": b'{"depth":' + b"9" * 900_000 + b"}",
    "a number of a great power": b'{"depth":1e999999999}',
    "a small number": b'{"depth":' + b"0." + b"0" * 900_000 + b"1}",
    "not a number": b'{"depth":NaN,"name":Infinity}',
    "many names": b"{" + b",".join(b'"%d":1' % number for number in range(60_000)) + b"}",
    "one name often": b"{" + b",".join([b'"nonsense":1'] * 60_000) + b"}",
    "a long text": b'{"depth":"' + b"\\u0000" * 150_000 + b'"}',
    "half a pair": b'{"depth":"\\ud800"}',
    "another encoding": '{"depth":"fast"}'.encode("utf-16"),
}


class Neighbour:
    """Somebody who calls on a connection that is open, and waits no longer than `NEIGHBOURS_WITHIN_S`."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.is_served()

    def is_served(self) -> None:
        """Ask whether the process lives, and for a prediction."""
        for path in ("/health/live", f"/api/prediction/{NEIGHBOURS_SYMBOL}"):
            assert self._client.get(path).status_code == 200


@pytest.fixture
def neighbour(stack: Stack) -> Iterator[Neighbour]:
    """A neighbour whose prediction is in memory."""
    if not stack.read(NEIGHBOURS_SYMBOL):
        stack.publish(event(NEIGHBOURS_SYMBOL))
        eventually(lambda: stack.read(NEIGHBOURS_SYMBOL))
    headers = {"X-API-Key": stack.key}
    with httpx.Client(base_url=stack.base_url, headers=headers, timeout=NEIGHBOURS_WITHIN_S) as client:
        yield Neighbour(client)


@pytest.mark.parametrize("path", ["/auth/login", "/auth/register", f"/api/explanation/{NEIGHBOURS_SYMBOL}"])
@pytest.mark.parametrize("name", BOMBS)
def test_400_or_422_for_json_that_is_made_to_be_expensive_and_others_are_served_meanwhile(
    stack: Stack, neighbour: Neighbour, path: str, name: str
) -> None:
    body, place = BOMBS[name], urlsplit(stack.base_url)
    with contextlib.closing(HTTPConnection(place.netloc, timeout=WITHIN_S)) as bomber:
        bomber.request("POST", path, headers=bombing(stack) | {"Content-Length": str(len(body))})
        bomber.send(body[:-1])
        neighbour.is_served()
        bomber.send(body[-1:])
        neighbour.is_served()
        while not select.select([bomber.sock], [], [], 0)[0]:
            neighbour.is_served()
        answer = bomber.getresponse()
        told = answer.read()
    assert answer.status in (400, 422), told[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(told) < 10_000


def test_what_is_compressed_is_not_unpacked(stack: Stack) -> None:
    bomb = gzip.compress(b'{"name":"' + b" " * 50_000_000 + b'"}', compresslevel=1)
    for coding in ("gzip", "deflate", "br", "gzip, gzip", "identity, gzip"):
        answer = post(stack, "/auth/register", bomb, **{"Content-Encoding": coding})
        assert answer.status_code in (400, 415)


HARD = {
    "near miss": "A" * 6_000 + "!",
    "many percent": "%41" * 2_000,
    "many commas": "," * 6_000,
    "many symbols": ",".join(["AAPL"] * 1_200),
    "spaces": "%20" * 2_000,
    "dots": "." * 6_000,
}


@pytest.mark.parametrize("name", HARD)
def test_400_for_a_symbol_that_is_made_to_be_hard_to_match(stack: Stack, name: str) -> None:
    for target in (b"/api/prediction/%b", b"/api/predictions?symbols=%b", b"/api/prediction/%b/history"):
        answer = raw.get(
            stack, target.replace(b"%b", HARD[name].encode()), b"X-API-Key: " + stack.key.encode()
        )
        assert answer.status in (400, 403, 404) or (name, answer.status) == ("many symbols", 200)


@pytest.mark.parametrize(
    "tag",
    [
        "W/" * 10_000,
        ", ".join(f'"{number}"' for number in range(8_000)),
        '"' * 20_000,
        'W/"' + "a" * 30_000,
        " " * 100 + "," * 30_000,
        '"\\' * 10_000,
    ],
    ids=lambda tag: tag[:6],
)
def test_an_if_none_match_that_is_made_to_be_hard_to_read_is_read_or_refused(stack: Stack, tag: str) -> None:
    for path in ("/api/openapi.json", "/api/symbols", "/api/predictions?symbols=AAPL"):
        answer = raw.get(
            stack, path.encode(), b"X-API-Key: " + stack.key.encode(), b"If-None-Match: " + tag.encode()
        )
        assert answer.status in (200, 400, 431)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /version HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n" + JSON + b"\r\n{",
        b"POST /auth/login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        + JSON
        + b"\r\n5\r\n",
        b"GET /ws/predictions HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n",
    ],
    ids=["silent", "half a head", "half a body", "half a chunk", "half a handshake"],
)
def test_others_are_served_while_hundreds_hold_connections(stack: Stack, said: bytes) -> None:
    with raw.opened(stack, said, 300):
        for path in ("/health/ready", "/auth/profile", "/api/symbols"):
            assert stack.get(path).status_code == 200


def test_a_head_and_a_body_that_drip_are_cut_off_although_something_comes_each_second(stack: Stack) -> None:
    head = b"GET /version HTTP/1.1\r\nHost: localhost\r\n"
    body = b"POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n" + JSON + b"\r\n"
    with raw.opened(stack, head, 1) as heads, raw.opened(stack, body, 1) as bodies:
        ends = [threading.Thread(target=_drip, args=(one,)) for one in (*heads, *bodies)]
        for end in ends:
            end.start()
        for end in ends:
            end.join(WITHIN_S)
        assert not [end for end in ends if end.is_alive()]


def _drip(one: socket.socket) -> None:
    """A byte each half second, until the server has had enough."""
    one.settimeout(0.5)
    with contextlib.suppress(OSError):
        while True:
            one.sendall(b"a")
            with contextlib.suppress(TimeoutError):
                if not one.recv(65_536):
                    return


def test_no_spelling_of_a_call_buys_another(stack: Stack) -> None:
    stack.publish(event("SPELL"))
    eventually(lambda: stack.read("SPELL"))
    key = add_key(stack, add_tier(stack, ("few", "account", 5, 3600, None)))
    own, path = key.secret, "/api/prediction/SPELL"
    calls: list[tuple[str, str, dict[str, str]]] = [
        ("GET", path, {"X-API-Key": own}),
        ("GET", path.replace("/api/", "/api/v1/"), {"X-API-Key": own}),
        ("HEAD", path, {"X-API-Key": own}),
        ("GET", f"{path}?include_features=true", {"Authorization": f"Bearer {own}"}),
        ("GET", "/api/predictions?symbols=SPELL", {"Authorization": f"bearer   {own}"}),
        ("GET", f"{path}/history", {"X-API-Key": own, "Accept": "*/*"}),
        ("GET", "/api/%70rediction/SPELL", {"X-API-Key": own}),
        ("GET", path, {"X-API-Key": own, "X-Forwarded-For": "198.51.100.1", "Via": "1.1 x"}),
        ("GET", path, {"X-API-Key": own, "If-None-Match": '"x"', "Cache-Control": "no-cache"}),
        ("GET", f"{path}?x={own[:3]}", {"X-API-Key": own, "Accept-Encoding": "gzip"}),
    ]
    answers = [httpx.request(m, stack.base_url + p, headers=h, timeout=WITHIN_S) for m, p, h in calls * 2]
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 5, statuses
    assert set(statuses) <= {200, 400, 404, 429}
    assert statuses[-1] == 429


def test_requests_in_a_pipeline_are_counted_one_by_one(stack: Stack) -> None:
    key = add_key(stack, add_tier(stack, ("few", "account", 3, 3600, None)))
    one = b"GET /api/prediction/ZZZZZ HTTP/1.1\r\nHost: localhost\r\nX-API-Key: " + key.secret.encode()
    answer = raw.ask(stack, (one + b"\r\n\r\n") * 9 + one + b"\r\nConnection: close\r\n\r\n")
    told = answer.rest.count(b"HTTP/1.1 404 ") + (answer.status == 404)
    assert told == 3
    assert answer.rest.count(b"HTTP/1.1 429 ") == 7


def test_an_answer_tells_no_more_of_what_was_sent_than_a_little(stack: Stack) -> None:
    body = json.dumps({"x" * 500_000: 1}).encode()
    answer = post(stack, "/auth/register", body)
    assert (answer.status_code, len(answer.content) < 10_000) == (422, True)
