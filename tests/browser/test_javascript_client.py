"""The JavaScript client in a page of another origin, without a bundler."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route

from gateway_project.settings import BASE_DIR
from tests.browser.conftest import picture
from tests.browser.test_dashboard import start_web, stop_web
from tests.people import PASSWORD, add_account, add_key, add_tier, add_user
from tests.stack import Stack, event, eventually, numbered

ORIGIN = "https://dashboard.example"
PACKAGE = BASE_DIR / "clients/javascript"
KINDS = {".html": "text/html", ".js": "text/javascript"}

_START = """
import { GatewayClient } from "/dist/index.js";
window.GatewayClient = GatewayClient;
window.kind = (call) => call.then(() => null, (error) => {
  const { name, status, code, requestId, retryAfter } = error;
  return { name, status, code, requestId, retryAfter };
});
"""


def serve(route: Route) -> None:
    """What a web server of another origin has: the folder of the package, and an empty page."""
    path = PACKAGE / urlsplit(route.request.url).path.lstrip("/")
    if path == PACKAGE:
        page = f'<!doctype html><title>page</title><script type="module">{_START}</script>'
        route.fulfill(content_type="text/html", body=page)
    elif path.is_file():
        route.fulfill(content_type=KINDS[path.suffix], body=path.read_text())
    else:
        route.fulfill(status=404)


def opened(browser: Browser, path: str = "/", origin: str = ORIGIN) -> Page:
    """A page of `origin`; gateways on plain HTTP of this machine are reached as from any secure page."""
    page = browser.new_page()
    page.route(f"{origin}/**", serve)
    page.goto(origin + path)
    page.wait_for_load_state("networkidle")
    return page


def given(stack: Stack, key: str) -> dict[str, Any]:
    """Options of the client in a page."""
    return {"baseUrl": stack.base_url, "apiKey": key}


@pytest.fixture
def predicted(stack: Stack, symbol: str) -> str:
    """A symbol with one prediction."""
    stack.publish(event(symbol))
    eventually(lambda: stack.read(symbol))
    return symbol


def test_a_page_reads_and_gets_a_304_with_all_that_is_exposed(
    stack: Stack, browser: Browser, predicted: str
) -> None:
    page = opened(browser)
    key = add_key(stack, add_tier(stack, ("hourly", "account", 100, 3600, None)))
    told = page.evaluate(
        """async ([options, symbol]) => {
          const heard = [];
          const onResponse = ({ status, requestId, headers }) => {
            const left = headers.get("X-RateLimit-Remaining");
            heard.push([status, Boolean(requestId), left, headers.has("RateLimit")]);
          };
          const client = new GatewayClient({ ...options, onResponse });
          const first = await client.prediction(symbol);
          const again = await client.prediction(symbol);
          return { prices: [first.predicted_price, again.predicted_price], heard };
        }""",
        [given(stack, key.secret), predicted],
    )
    assert told == {
        "prices": [188.1, 188.1],
        "heard": [[200, True, "99", True], [304, True, "99", True]],
    }


def test_a_page_gets_errors_with_their_request_id_and_when_to_come_back(
    stack: Stack, browser: Browser, predicted: str
) -> None:
    page = opened(browser)
    key = add_key(stack, add_tier(stack, ("one", "account", 1, 3600, None)))
    call = "([options, symbol]) => kind(new GatewayClient(options).prediction(symbol))"
    unknown = page.evaluate(call, [given(stack, key.secret), "ZZZZZ"])
    assert (unknown["name"], unknown["status"], unknown["code"]) == ("NotFoundError", 404, "UNKNOWN_SYMBOL")
    limited = page.evaluate(call, [given(stack, key.secret), predicted])
    assert (limited["name"], limited["code"]) == ("RateLimitError", "RATE_LIMIT_EXCEEDED")
    assert 3500 < limited["retryAfter"] <= 3600
    refused = page.evaluate(call, [given(stack, "pgw_live_wrong"), predicted])
    assert (refused["name"], refused["code"]) == ("AuthenticationError", "INVALID_CREDENTIAL")
    assert all(one["requestId"] for one in (unknown, limited, refused))


@pytest.fixture
def live(own_stack: Stack) -> Stack:
    """A gateway of this test alone, which it restarts; with one prediction of AAPL."""
    own_stack.start_bridge()
    own_stack.start_web()
    own_stack.publish(event())
    eventually(lambda: own_stack.read("AAPL"))
    return own_stack


_STREAM = """async ([options, symbol]) => {
  window.heard = [];
  const stream = new GatewayClient(options).stream([symbol]);
  (async () => {
    for await (const { type, seq } of stream) window.heard.push(seq ?? type);
  })();
}"""


def test_a_stream_of_a_page_survives_a_restart_without_a_loss(live: Stack, browser: Browser) -> None:
    page = opened(browser)
    page.evaluate(_STREAM, [given(live, live.key), "AAPL"])
    page.wait_for_function("window.heard.length === 3")
    seqs = live.publish(*numbered("AAPL", 3))
    page.wait_for_function("window.heard.length === 6")
    port = stop_web(live)
    page.wait_for_function("window.heard.includes('disconnected')")
    seqs += live.publish(*numbered("AAPL", 3))
    start_web(live, port)
    page.wait_for_function(f"window.heard.includes({seqs[-1]})")
    heard = page.evaluate("window.heard")
    assert heard[:2] == ["connected", "subscribed"]
    assert [one for one in heard if isinstance(one, int)][1:] == seqs
    assert heard.count("connected") == 2


def test_the_example_page_logs_in_and_shows_what_comes(
    stack: Stack, browser: Browser, predicted: str
) -> None:
    page = opened(browser, "/examples/browser.html")
    page.get_by_label("Gateway").fill(stack.base_url)
    page.get_by_label("User").fill(add_user(stack, account=add_account(stack, "enterprise")))
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button").click()
    page.get_by_role("status").filter(has_text="connected").wait_for()
    row = page.get_by_role("row").filter(has_text=predicted)
    row.filter(has_text="188.10").wait_for()
    stack.publish(event(predicted, predicted_price=201.5))
    row.filter(has_text="201.50").wait_for()
    picture(page, "javascript-client-example")


def test_a_page_whose_origin_is_not_listed_is_told_what_to_look_at(stack: Stack, browser: Browser) -> None:
    page = opened(browser, origin="https://elsewhere.example")
    call = "(options) => new GatewayClient(options).version().catch(({ name, message }) => [name, message])"
    name, message = page.evaluate(call, {**given(stack, stack.key), "retries": 0})
    assert name == "ConnectionFailedError"
    assert message.endswith("does CORS_ORIGINS of the gateway name the origin of this page?")
    stream = "(options) => kind(new GatewayClient(options).stream(['AAPL']).next())"
    closed = page.evaluate(stream, given(stack, stack.key))
    assert (closed["name"], closed["code"]) == ("StreamClosedError", "ORIGIN_REFUSED")


def test_the_example_page_says_what_is_wrong(stack: Stack, browser: Browser) -> None:
    page = opened(browser, "/examples/browser.html")
    page.get_by_label("Gateway").fill(stack.base_url)
    page.get_by_label("User").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button").click()
    page.get_by_role("status").filter(has_text="password").wait_for()
