"""A real browser: Debian's Chromium, driven by Playwright; every page is watched while it is used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests import programs

expect.set_options(timeout=60_000)

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Pages of other origins call a gateway on this machine; nobody is there to allow it by hand.
    "--disable-features=LocalNetworkAccessChecks",
]


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is; without it the tests are skipped by hand, and fail in CI."""
    return programs.find("chromium", "chromium")


@pytest.fixture(scope="module")
def running_browser(chromium: str) -> Iterator[Browser]:
    """A browser for the tests of a module; meanwhile this thread has a loop that runs."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def browser(running_browser: Browser) -> Iterator[Browser]:
    """A browser without a page."""
    yield running_browser
    for context in running_browser.contexts:
        context.close()


class Watch:
    """What went wrong on a page while it was used: errors it wrote, and requests that left the server."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.complaints: list[str] = []
        self._base_url = base_url
        page.on("console", self._hear)
        page.on("pageerror", self._catch)
        page.on("request", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text}")

    def _catch(self, error: Error) -> None:
        self.complaints.append(f"uncaught: {error}")

    def _see(self, request: Request) -> None:
        if not request.url.startswith((f"{self._base_url}/", "data:", "blob:")):
            self.complaints.append(f"left the server: {request.url}")


DESK: ViewportSize = {"width": 1360, "height": 850}
PHONE: ViewportSize = {"width": 390, "height": 844}


def picture(page: Page, name: str) -> None:
    """Keep a picture in the folder `SCREENSHOTS`, if there is one."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def pictures(page: Page, name: str) -> None:
    """Pictures of a page that cannot be opened again: by day, by night, and on a phone."""
    picture(page, f"{name}-light-desk")
    page.wait_for_load_state()
    page.evaluate("document.documentElement.classList.add('dark')")
    picture(page, f"{name}-dark-desk")
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
    picture(page, f"{name}-dark-phone")
    page.evaluate("document.documentElement.classList.remove('dark')")
    picture(page, f"{name}-light-phone")
    page.set_viewport_size(DESK)
