"""The dashboard in a real browser, on a running gateway: updates, restarts, a replay, an explanation."""

from __future__ import annotations

import contextlib
import re
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, WebSocket, expect

from gateway_project import embedded
from tests.browser.axe import find_violations
from tests.browser.conftest import DESK, PHONE, Watch, picture
from tests.conftest import running_stack
from tests.gateway_project import certificates
from tests.integration.test_tls import Secure
from tests.integration.test_track_record import accuracy, bars
from tests.people import add_key
from tests.stack import Stack, event, eventually

NARROW: ViewportSize = {"width": 320, "height": 640}
SIZES = {"desk": DESK, "phone": PHONE, "narrow": NARROW}


@pytest.fixture(scope="module")
def replayed() -> Iterator[Stack]:
    """A gateway with the replay of real bars, a worker, and a key that everybody may see."""
    with running_stack(open_dashboard, with_worker=True) as made:
        made.start("replay_market", "--start", "2010-01-04", "--speed", "4", "--loop")
        eventually(lambda: made.count_rows("AAPL") > 30, timeout_s=60)
        yield made


@pytest.fixture(scope="module")
def quiet() -> Iterator[Stack]:
    """A gateway on which each test publishes a symbol of its own."""
    with running_stack(open_dashboard) as made:
        yield made


@pytest.fixture
def live(own_stack: Stack) -> Stack:
    """A gateway of this test alone, on which nothing is published by itself."""
    open_dashboard(own_stack)
    own_stack.start_bridge()
    own_stack.start_web()
    return own_stack


def open_dashboard(stack: Stack) -> None:
    """Set DASHBOARD_KEY as an operator does."""
    stack.environ["DASHBOARD_KEY"] = stack.manage("dashboard_key").split()[-1]


@contextlib.contextmanager
def opened(
    browser: Browser, stack: Stack, path: str = "/", size: ViewportSize = DESK, **options: Any
) -> Iterator[tuple[Page, Watch]]:
    """A page at `path`, and what goes wrong on it; sockets go to the gateway alone."""
    context = browser.new_context(base_url=stack.base_url, viewport=size, **options)
    page = context.new_page()
    watch = Watch(page, stack.base_url)

    def see(socket: WebSocket) -> None:
        if urlsplit(socket.url).netloc != urlsplit(stack.base_url).netloc:
            watch.complaints.append(f"left the server: {socket.url}")

    page.on("websocket", see)
    page.goto(path)
    yield page, watch
    context.close()


def row(page: Page, symbol: str) -> Any:
    """The row of a symbol."""
    return page.locator(f'tr[data-symbol="{symbol}"]')


def fact(page: Page, name: str) -> int:
    """A number of the sheet about the connection, which must be open."""
    text = page.locator("#facts div").filter(has_text=name).locator("dd").inner_text()
    return int(text.replace(",", ""))


def is_connected(page: Page) -> None:
    """Wait until the socket is open."""
    expect(page.locator("#state")).to_have_text("Live", timeout=60_000)


def is_followed(page: Page, stack: Stack, symbol: str) -> None:
    """Wait until updates of the symbol, which is in the record, come over the socket."""
    expect(row(page, symbol)).to_be_visible()
    stack.publish(event(symbol, current_price=99.0, predicted_price=101.0))
    expect(row(page, symbol).locator(".c-price")).to_have_text("99.00")


def test_it_shows_what_is_published_as_it_is_published(live: Stack, browser: Browser) -> None:
    live.publish(event("AAPL", current_price=200.0, predicted_price=203.0, confidence=0.61), event("IBM"))
    eventually(lambda: live.read("IBM"))
    with opened(browser, live) as (page, watch):
        # In production 'self' alone lets the socket through.
        assert "connect-src" not in live.get("/").headers["content-security-policy"]
        is_connected(page)
        expect(row(page, "AAPL").locator(".c-move")).to_have_text("▲ +1.50 %")
        expect(row(page, "AAPL").locator(".share")).to_have_text("61 %")
        expect(page.locator("#symbol-title")).to_have_text("AAPL")
        live.publish(event("AAPL", current_price=201.0, predicted_price=198.0), event("MSFT"))
        expect(row(page, "AAPL").locator(".c-price")).to_have_text("201.00")
        expect(row(page, "AAPL").locator(".c-move")).to_have_text("▼ \N{MINUS SIGN}1.49 %")
        expect(page.locator("#f-predicted")).to_have_text("198.00")
        expect(page.locator("#lag")).to_have_text(re.compile(r"\d+ ms|\d\.\d s"))
        expect(page.locator("#dropped")).to_have_text("0")
        expect(page.locator("#replay")).to_be_hidden()
        expect(page.locator("#track-said")).to_have_text(
            "Nothing that was predicted here has met its outcome yet."
        )
    assert not watch.complaints


def stop_web(stack: Stack) -> int:
    """End the web server; the port that it had."""
    web = stack.processes[-1]
    web.send_signal(signal.SIGTERM)
    web.wait(timeout=60)
    return urlsplit(stack.base_url).port or 0


def start_web(stack: Stack, port: int) -> None:
    """Start it again where it was."""
    stack.start("serve", "--port", str(port))
    assert embedded.wait_until_listening(port, timeout_s=60)


def changes(count: int, **more: Any) -> list[dict[str, Any]]:
    """`count` payloads of AAPL, whose price tells them apart."""
    return [event("AAPL", current_price=100.0 + n, predicted_price=101.0 + n, **more) for n in range(count)]


def test_after_a_restart_nothing_is_missing(live: Stack, browser: Browser) -> None:
    live.publish(event("AAPL"))
    eventually(lambda: live.read("AAPL"))
    with opened(browser, live) as (page, _):
        is_connected(page)
        is_followed(page, live, "AAPL")
        page.locator("#connection summary").click()
        live.publish(*changes(2))
        eventually(lambda: fact(page, "Updates received") == 3)

        port = stop_web(live)
        expect(page.locator("#state")).to_have_text("Connection lost")
        expect(page.locator("#trouble")).to_contain_text("Next try in")
        live.publish(*changes(5))
        eventually(live.is_idle)
        start_web(live, port)
        is_connected(page)
        eventually(lambda: fact(page, "Updates received") == 8)
        live.publish(*changes(2))
        eventually(lambda: fact(page, "Updates received") == 10)
        assert fact(page, "Of these after a reconnect") == 5
        assert fact(page, "Gaps told") == fact(page, "Dropped by the gateway") == 0
        expect(page.locator("#trouble")).to_be_hidden()
        expect(page.locator("#gap")).to_be_hidden()


def test_what_cannot_be_made_up_is_told_as_a_gap(live: Stack, browser: Browser) -> None:
    live.publish(event("AAPL"))
    eventually(lambda: live.read("AAPL"))
    with opened(browser, live) as (page, _):
        is_connected(page)
        is_followed(page, live, "AAPL")
        port = stop_web(live)
        expect(page.locator("#state")).to_have_text("Connection lost")
        live.publish(*changes(1_001))
        eventually(live.is_idle, timeout_s=60)
        start_web(live, port)
        is_connected(page)
        expect(page.locator("#gap-text")).to_contain_text("Updates of AAPL between")
        expect(row(page, "AAPL").locator(".c-price")).to_have_text("1,100.00")
        page.locator("#connection summary").click()
        eventually(lambda: fact(page, "Gaps told") == 1)
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Dismiss").click()
        expect(page.locator("#gap")).to_be_hidden()


def test_a_list_that_was_not_read_is_read_with_the_next_connection(live: Stack, browser: Browser) -> None:
    live.publish(event("AAPL"))
    eventually(lambda: live.read("AAPL"))
    with opened(browser, live) as (page, _):
        page.route("**/api/symbols*", lambda route: route.abort())
        page.reload()
        expect(page.locator("#gap-text")).to_contain_text("The list of symbols cannot be read")
        is_connected(page)
        port = stop_web(live)
        expect(page.locator("#state")).to_have_text("Connection lost")
        page.unroute("**/api/symbols*")
        start_web(live, port)
        is_connected(page)
        is_followed(page, live, "AAPL")
        expect(page.locator("#gap")).to_be_hidden()


def test_a_prediction_meets_what_happened(quiet: Stack, browser: Browser, symbol: str) -> None:
    start = datetime.now(UTC) - timedelta(days=4)
    days = [start + timedelta(days=n) for n in range(4)]
    quiet.publish(
        *(
            event(
                symbol,
                timestamp=day.isoformat(),
                as_of=day.isoformat(),
                current_price=100.0 + n,
                predicted_price=101.0,
            )
            for n, day in enumerate(days)
        ),
    )
    eventually(lambda: quiet.count_rows(symbol) == 4)
    with opened(browser, quiet, f"/#/{symbol}") as (page, watch):
        expect(page.locator("#said")).to_contain_text("Of 3 predictions whose time has come")
        page.get_by_text("The newest predictions as a table").click()
        cells = page.locator("#numbers tr").last.locator("td")
        expect(cells).to_have_text(["100.00", "101.00", "101.00", "±0.00 %"])
        expect(page.locator("#numbers tr").first.locator("td").nth(2)).to_have_text("not yet")
    assert not watch.complaints


def test_the_track_record_of_a_symbol_is_shown(quiet: Stack, browser: Browser, symbol: str) -> None:
    quiet.publish(*bars(symbol, 100, 102, 101, 101))
    accuracy(quiet, symbol, count=3)
    with opened(browser, quiet, f"/#/{symbol}") as (page, watch):
        expect(page.locator("#track-said")).to_contain_text("Of 3 predictions whose time has come, 33 %")
        expect(page.locator("#track-rows th")).to_have_text(["test-1"])
        expect(page.locator("#track-rows td")).to_have_text(
            ["3", "1.32 %", "0.98 %", "1.339", "33 %", "\N{EN DASH}"]
        )
        assert find_violations(page) == []
    assert not watch.complaints


def test_an_explanation_is_ordered_watched_and_said_in_words(replayed: Stack, browser: Browser) -> None:
    with opened(browser, replayed) as (page, watch):
        is_connected(page)
        expect(page.locator("#replay")).to_contain_text(
            re.compile(r"Replay\s*Historical data, not a live market\. Market time: \d+ \w+ 201\d")
        )
        page.get_by_label("Deep").check()
        page.get_by_role("button", name="Explain").press("Enter")
        expect(page.locator("#stage")).to_have_text("The explanation is complete.", timeout=60_000)
        expect(page.get_by_role("button", name="Explain")).to_be_focused()
        expect(page.locator("#explanation")).to_contain_text("This is a replay of historical data")
        items = page.locator(".contributions li")
        expect(items).to_have_count(7)
        for text in items.all_inner_texts():
            assert re.search(r"Pushes it (up|down)\.|Moves nothing\.", text)
        expect(page.get_by_role("heading", name="Days like this one")).to_be_visible()
        picture(page, "dashboard-explained-light-desk")
    assert not watch.complaints


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_is_for_everybody_by_day_and_night_and_on_a_phone(
    theme: Literal["light", "dark"], size: str, replayed: Stack, browser: Browser
) -> None:
    options = {"color_scheme": theme, "reduced_motion": "reduce", "is_mobile": size != "desk"}
    with opened(browser, replayed, "/", SIZES[size], **options) as (page, watch):
        is_connected(page)
        expect(row(page, "AAPL")).to_be_visible()
        assert find_violations(page) == []
        picture(page, f"dashboard-list-{theme}-{size}")
        row(page, "AAPL").click()
        expect(page.locator("#symbol-title")).to_have_text("AAPL")
        page.get_by_label("Deep").check()
        page.get_by_role("button", name="Explain").click()
        expect(page.locator(".contributions")).to_be_visible(timeout=60_000)
        page.get_by_text("The newest predictions as a table").click()
        page.locator("#connection summary").click()
        assert find_violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
        picture(page, f"dashboard-open-{theme}-{size}")
    assert not watch.complaints


def test_it_is_used_by_keyboard_alone(replayed: Stack, browser: Browser) -> None:
    with opened(browser, replayed) as (page, watch):
        is_connected(page)
        expect(row(page, "MSFT")).to_be_visible()
        seen = []
        for _ in range(40):
            page.keyboard.press("Tab")
            seen.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
            if seen[-1] == "AAPL":
                break
        assert {"Skip to the chosen symbol", "API start", "filter", "direction", "AAPL"} <= set(seen)
        outline = "getComputedStyle(document.activeElement.closest('tr')).outlineStyle"
        assert page.evaluate(outline) == "solid"
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        symbol = page.evaluate("document.activeElement.textContent")
        assert symbol != "AAPL"
        expect(page.locator("#symbol-title")).to_have_text(symbol)
        expect(row(page, symbol).locator("a")).to_have_attribute("aria-current", "true")

        page.locator("#connection summary").press("Enter")
        expect(page.locator(".sheet")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(".sheet")).to_be_hidden()
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"

        page.get_by_role("button", name="Move").press("Enter")
        expect(page.locator("th.c-move")).to_have_attribute("aria-sort", "descending")
        page.get_by_label("Filter symbols").fill("ms")
        expect(page.locator("#rows tr:visible")).to_have_count(1)
        expect(page.locator("#count")).to_have_text(re.compile(r"1 of \d"))
    assert not watch.complaints


def test_on_a_phone_one_view_takes_the_place_of_the_other(replayed: Stack, browser: Browser) -> None:
    with opened(browser, replayed, size=PHONE, is_mobile=True) as (page, watch):
        expect(page.locator("#symbol")).to_be_hidden()
        row(page, "IBM").locator("a").press("Enter")
        expect(page.locator("#symbol")).to_be_focused()
        expect(page.locator("#table")).to_be_hidden()
        page.get_by_role("link", name="All symbols").click()
        expect(row(page, "IBM").locator("a")).to_be_focused()
        page.go_back()
        expect(page.locator("#symbol-title")).to_have_text("IBM")
    assert not watch.complaints


def test_values_change_and_nothing_moves(replayed: Stack, browser: Browser) -> None:
    boxes = """() => [...document.querySelectorAll('#table tr > *, .figures > div, .chart, #order')]
        .map((one) => Object.values(one.getBoundingClientRect().toJSON()))"""
    with opened(browser, replayed) as (page, watch):
        is_connected(page)
        expect(page.locator("#said")).to_contain_text("predictions whose time has come")
        page.evaluate("document.fonts.ready")
        before, market = page.evaluate(boxes), page.locator("#market-time").inner_text()
        expect(page.locator("#market-time")).not_to_have_text(market)
        page.wait_for_timeout(1_500)
        assert page.evaluate(boxes) == before
    assert not watch.complaints


def test_without_a_key_of_its_own_it_asks_for_one_and_keeps_it_in_the_tab(
    stack: Stack, browser: Browser
) -> None:
    # The first of all: the page shows a hundred symbols, and other tests have published theirs.
    symbol = "AAAAA"
    stack.publish(event(symbol))
    eventually(lambda: stack.read(symbol))
    key = add_key(stack, "enterprise")
    with opened(browser, stack) as (page, watch):
        expect(page.get_by_role("heading", name="A key, please")).to_be_visible()
        assert find_violations(page) == []
        picture(page, "dashboard-key-light-desk")
        page.get_by_label("API key").fill(key.secret)
        page.keyboard.press("Enter")
        is_connected(page)
        expect(row(page, symbol)).to_be_visible()
        assert key.secret not in page.url
        assert page.evaluate("localStorage.length") == 0
        page.reload()
        is_connected(page)
    assert not watch.complaints


def test_a_key_that_is_refused_is_forgotten_and_asked_for_again(stack: Stack, browser: Browser) -> None:
    revoked = add_key(stack, "enterprise", revoked_at="now()")
    with opened(browser, stack) as (page, _):
        page.get_by_label("API key").fill(revoked.secret)
        page.keyboard.press("Enter")
        expect(page.locator("#ask-why")).to_contain_text("Enter another one.")
        assert page.evaluate("sessionStorage.length") == 0


@pytest.fixture
def secure(stack: Stack, tmp_path: Path) -> Iterator[Secure]:
    """The shared gateway once more, over TLS."""
    made = Secure(stack, certificates.make(tmp_path))
    yield made
    made.end()


def test_over_tls_its_socket_is_secure_as_well(stack: Stack, secure: Secure, browser: Browser) -> None:
    context = browser.new_context(ignore_https_errors=True)
    page, sockets = context.new_page(), list[str]()
    watch = Watch(page, secure.url)
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto(f"{secure.url}/")
    page.get_by_label("API key").fill(stack.key)
    page.keyboard.press("Enter")
    is_connected(page)
    assert sockets == [f"wss://127.0.0.1:{secure.port}/ws/predictions"]
    assert not watch.complaints
    context.close()


def test_what_a_publisher_writes_is_text(browser: Browser, quiet: Stack) -> None:
    markup = "<img src=x onerror=window.ran=1>"
    quiet.publish(event("EVIL", model_version=markup, features={markup: 1.0}))
    eventually(lambda: quiet.count_rows("EVIL") == 1)
    page = browser.new_context(base_url=quiet.base_url, viewport=DESK).new_page()
    watch = Watch(page, quiet.base_url)
    page.goto("/")
    page.get_by_text("EVIL").first.click()
    expect(page.get_by_text(markup).first).to_be_attached()
    assert page.evaluate("window.ran === undefined")
    assert page.locator("img[src=x]").count() == 0
    assert not watch.complaints
