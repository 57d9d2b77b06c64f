"""What a browser makes of the content policies: pages work, and what is injected does not."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import DESK, Watch
from tests.stack import ROOT, Stack

_INJECT = """
() => {
  window.ran = [];
  const script = document.createElement("script");
  script.textContent = "window.ran.push('script')";
  document.body.append(script);
  const box = document.createElement("div");
  box.innerHTML = `<img src="x" onerror="window.ran.push('handler')"><p id="styled" style="color: red">x</p>
    <iframe src="https://evil.example/"></iframe>`;
  document.body.append(box);
  const style = document.createElement("style");
  style.textContent = "body { color: rgb(1, 2, 3) }";
  document.head.append(style);
}
"""


def open_page(browser: Browser, stack: Stack, path: str) -> tuple[Page, Watch]:
    """The page at `path`, watched from its beginning."""
    context = browser.new_context(base_url=stack.base_url, viewport=DESK)
    page = context.new_page()
    watch = Watch(page, stack.base_url)
    page.goto(path)
    page.wait_for_load_state("networkidle", timeout=60_000)
    return page, watch


@pytest.mark.parametrize("path", ["/", "/start", "/errors/NOT_FOUND", "/admin/login/"])
def test_a_page_looks_as_it_should_and_nothing_is_refused(browser: Browser, stack: Stack, path: str) -> None:
    page, watch = open_page(browser, stack, path)
    assert page.evaluate("document.styleSheets.length") > 0
    if path != "/admin/login/":
        assert page.evaluate("getComputedStyle(document.body).maxWidth") != "none"
    assert not watch.complaints


@pytest.mark.parametrize("path", ["/", "/admin/login/", "/api/docs", "/api/redoc"])
def test_what_is_injected_does_nothing(browser: Browser, stack: Stack, path: str) -> None:
    page, watch = open_page(browser, stack, path)
    page.evaluate(_INJECT)
    page.wait_for_timeout(500)
    assert page.evaluate("window.ran") == []
    assert page.evaluate("document.getElementById('styled').style.color") == ""
    assert page.evaluate("getComputedStyle(document.body).color") != "rgb(1, 2, 3)"
    assert len([one for one in watch.complaints if "Content Security Policy" in one]) >= 4


def test_no_script_of_ours_makes_markup_of_text() -> None:
    made = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc")
    scripts = [*(ROOT / "static").rglob("*.js"), *(ROOT / "clients/javascript/src").rglob("*.ts")]
    assert len(scripts) > 5
    assert not [path.name for path in scripts if made.search(path.read_text())]
