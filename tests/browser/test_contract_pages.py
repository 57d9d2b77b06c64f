"""Swagger UI and ReDoc: no request leaves the server, nothing is refused, a key works, axe is content."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.axe import find_violations
from tests.browser.conftest import DESK, PHONE, Watch, picture
from tests.stack import Stack, event, eventually

PAGES = {"/api/docs": "#operations-Operations-getVersion", "/api/redoc": "[id='operation/getVersion']"}
"""With something of each that is there once the document was read."""

WIDTHS = {"desk": DESK, "phone": PHONE}


def open_page(
    browser: Browser,
    stack: Stack,
    path: str,
    *,
    width: str = "desk",
) -> tuple[Page, Watch]:
    """The page at `path`, watched from its beginning, with the whole document in it; by night on a phone."""
    scheme: Literal["light", "dark"] = "dark" if width == "phone" else "light"
    context = browser.new_context(base_url=stack.base_url, viewport=WIDTHS[width], color_scheme=scheme)
    page = context.new_page()
    watch = Watch(page, stack.base_url)
    page.goto(path)
    page.locator(PAGES[path]).wait_for(state="attached", timeout=60_000)
    page.wait_for_load_state("networkidle")
    return page, watch


def operation(page: Page, name: str) -> Locator:
    """The operation `name` of Swagger UI, opened."""
    found = page.locator(f"[id$='-{name}']")
    found.locator(".opblock-summary-control").click()
    found.locator(".opblock-body").wait_for()
    return found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_and_can_be_used_by_everybody(
    browser: Browser, stack: Stack, path: str, width: str
) -> None:
    page, watch = open_page(browser, stack, path, width=width)
    picture(page, f"{path.strip('/').replace('/', '-')}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width]["width"]
    assert page.evaluate("document.documentElement.lang") == "en"
    assert "Prediction Gateway" in page.title()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(28, 32, 34)" if width == "phone" else "rgb(255, 255, 255)")
    assert find_violations(page) == []
    assert watch.complaints == []


@pytest.mark.parametrize("width", WIDTHS)
def test_an_open_operation_and_the_box_for_keys_can_be_used_by_everybody(
    browser: Browser, stack: Stack, width: str
) -> None:
    page, watch = open_page(browser, stack, "/api/docs", width=width)
    operation(page, "changeKey")
    picture(page, f"api-docs-operation-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width]["width"]
    page.get_by_role("button", name="Authorize").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert find_violations(page) == []
    assert watch.complaints == []


@pytest.fixture(scope="module")
def known(stack: Stack) -> str:
    """A symbol with a prediction."""
    stack.publish(event("DOCS"))
    eventually(lambda: stack.read("DOCS"))
    return "DOCS"


def test_a_key_of_the_box_goes_with_the_calls(known: str, browser: Browser, stack: Stack) -> None:
    page, watch = open_page(browser, stack, "/api/docs")
    page.get_by_role("button", name="Authorize").first.click()
    dialog = page.get_by_role("dialog")
    dialog.locator("input").first.fill(stack.key)
    dialog.get_by_role("button", name="Authorize").first.click()
    dialog.get_by_role("button", name="Close").first.click()
    read = operation(page, "getPrediction")
    read.get_by_role("textbox", name="symbol").fill(known)
    with page.expect_response(f"**/api/prediction/{known}*") as answered:
        read.get_by_role("button", name="Execute").click()
    assert answered.value.status == 200
    assert answered.value.request.headers["x-api-key"] == stack.key
    expect(read.locator(".live-responses-table")).to_contain_text("predicted_price")
    assert watch.complaints == []
