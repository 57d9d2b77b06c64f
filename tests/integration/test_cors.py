"""Pages of listed origins may call and read whatever the answer is; pages of others may not."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from gateway_project import embedded
from tests.people import add_key, add_tier
from tests.stack import Stack

OURS = "https://dashboard.example"
OTHERS = [
    "https://evil.example",
    "http://dashboard.example",
    "https://dashboard.example.evil.example",
    "https://evil-dashboard.example",
    "https://sub.dashboard.example",
    "https://dashboard.example:8443",
    "https://DASHBOARD.example.",
    "null",
    "",
]
METHODS = {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}
ASKED = {
    "accept",
    "accept-language",
    "content-type",
    "authorization",
    "x-requested-with",
    "x-csrf-token",
    "x-api-key",
    "x-request-id",
    "idempotency-key",
    "if-none-match",
    "prefer",
}
EXPOSED = {
    "Content-Length",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "ETag",
    "Location",
    "X-Request-ID",
    "Warning",
    "X-API-Key-Expires",
}


@pytest.fixture(scope="module")
def cold(stack: Stack) -> Iterator[str]:
    """A process that leaves every read to Django."""
    port = embedded.free_port()
    stack.environ["HOT_READS"] = "false"
    process = stack.start("serve", "--port", str(port))
    del stack.environ["HOT_READS"]
    assert embedded.wait_until_listening(port, timeout_s=60)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=60)


def split(header: str) -> set[str]:
    """The items of a list."""
    return {item.strip() for item in header.split(",")}


def assert_readable(answer: httpx.Response) -> None:
    """A page of `OURS` may read it, with all that is exposed, and caches keep it for that origin alone."""
    assert answer.headers.get_list("access-control-allow-origin") == [OURS]
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert split(answer.headers["access-control-expose-headers"]) >= EXPOSED
    assert "origin" in answer.headers["vary"].lower()


def assert_closed(answer: httpx.Response) -> None:
    """No page may read it."""
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def answers(stack: Stack, base_url: str, symbol: str, origin: str) -> dict[int, httpx.Response]:
    """One answer of every kind to a page of `origin`, by status."""
    tier = add_tier(stack, ("few", "account", 3, 3600, None))
    few, many = add_key(stack, tier).header, {"X-API-Key": stack.key}
    url = f"{base_url}/api/prediction/{symbol}"

    def get(url: str, headers: dict[str, str]) -> httpx.Response:
        return httpx.get(url, headers={"Origin": origin, **headers}, timeout=60)

    first = get(url, many)
    found = [
        get(url, many),
        get(url, many | {"If-None-Match": first.headers["etag"]}),
        get(f"{base_url}/api/prediction/nothing", many),
        get(url, {"X-API-Key": "junk"}),
        get(f"{base_url}/api/explanation/{symbol}", add_key(stack, "pro", scopes='["stream"]').header),
        get(f"{base_url}/api/prediction/ZZZZZ", many),
        httpx.delete(f"{base_url}/api/predictions", headers={"Origin": origin, **many}),
        httpx.post(
            f"{base_url}/api/explanation/{symbol}",
            headers={"Origin": origin, **many},
            content=b"x" * 1_100_000,
        ),
        [get(url, few) for _ in range(4)][-1],
    ]
    return {answer.status_code: answer for answer in found}


@pytest.mark.parametrize("way", ["hot", "cold"])
def test_a_page_of_ours_may_read_every_answer(stack: Stack, cold: str, known: str, way: str) -> None:
    base_url = stack.base_url if way == "hot" else cold
    found = answers(stack, base_url, known, OURS)
    assert found.keys() == {200, 304, 400, 401, 403, 404, 405, 413, 429}
    for answer in found.values():
        assert_readable(answer)


@pytest.mark.parametrize("way", ["hot", "cold"])
@pytest.mark.parametrize("origin", OTHERS)
def test_no_page_of_others_may_read_any(stack: Stack, cold: str, known: str, origin: str, way: str) -> None:
    base_url = stack.base_url if way == "hot" else cold
    for answer in answers(stack, base_url, known, origin).values():
        assert_closed(answer)


def preflight(url: str, origin: str, method: str, *headers: str) -> httpx.Response:
    """What a browser asks first."""
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    return httpx.options(url, headers=asked | {"Access-Control-Request-Headers": ", ".join(headers)})


@pytest.mark.parametrize(
    "path", ["/api/prediction/AAPL", "/api/explanation/AAPL", "/auth/login", "/auth/keys/1"]
)
@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_preflight_of_ours_is_told_what_it_may_ask(stack: Stack, path: str, method: str) -> None:
    answer = preflight(stack.base_url + path, OURS, method, *ASKED)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == OURS
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-max-age"] == "600"
    assert split(answer.headers["access-control-allow-methods"]) == METHODS
    assert split(answer.headers["access-control-allow-headers"]) >= ASKED


@pytest.mark.parametrize("origin", OTHERS)
def test_a_preflight_of_others_is_told_nothing(stack: Stack, origin: str) -> None:
    assert_closed(preflight(f"{stack.base_url}/api/prediction/AAPL", origin, "GET", "x-api-key"))


@pytest.mark.parametrize("path", ["/admin/", "/metrics", "/", "/static/gateway_pages/page.css"])
def test_what_is_for_people_and_machines_of_ours_is_no_page_of_anybody(stack: Stack, path: str) -> None:
    assert_closed(httpx.get(stack.base_url + path, headers={"Origin": OURS}))


def test_503_can_be_read_as_well(own_stack: Stack) -> None:
    own_stack.start_web()
    tier = add_tier(own_stack, ("one", "account", 100, 3600, None), redis_down="closed")
    key = add_key(own_stack, tier).header
    own_stack.redis.kill()
    answer = httpx.get(
        f"{own_stack.base_url}/api/prediction/AAPL", headers={"Origin": OURS, **key}, timeout=20
    )
    assert answer.status_code == 503
    assert_readable(answer)
