"""Staff at work in a real browser, on a running gateway: a tier, an account, a key and its end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DESK, PHONE, Watch, picture, pictures
from tests.stack import Stack, eventually

NAME, PASSWORD = "boss", "a-long-enough-password-7"
PAGES = {
    "first page": "/admin/",
    "connections": "/admin/connections/",
    "key list": "/admin/accounts/apikey/",
    "key form": "/admin/accounts/apikey/add/",
    "tier form": "/admin/accounts/tier/add/",
    "accounts": "/admin/accounts/account/",
    "tiers": "/admin/accounts/tier/",
    "limits": "/admin/accounts/limit/",
    "usage": "/admin/accounts/usagehour/",
    "failures": "/admin/accounts/authenticationfailure/",
    "audit": "/admin/accounts/auditevent/",
    "users": "/admin/accounts/user/",
    "user form": "/admin/accounts/user/add/",
    "logins": "/admin/accounts/tokenfamily/",
    "password": "/admin/password_change/",
    "jobs": "/admin/explanations/computation/",
    "dead letters": "/admin/dead-letters/",
}


@pytest.fixture(scope="module")
def boss(stack: Stack) -> str:
    """A superuser on the stack; the name."""
    stack.environ["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
    stack.manage("createsuperuser", "--noinput", "--username", NAME, "--email", "boss@example.com")
    return NAME


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A page at a desk; at the end nothing may have gone wrong on it."""
    context = browser.new_context(base_url=stack.base_url, viewport=DESK)
    opened = context.new_page()
    watch = Watch(opened, stack.base_url)
    yield opened
    context.close()
    assert not watch.complaints


def log_in(page: Page) -> None:
    """By the form."""
    page.goto("/admin/")
    page.get_by_label("Username").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def make_tier(page: Page) -> None:
    """A tier `gold` with a limit."""
    page.goto("/admin/accounts/tier/add/")
    page.locator("#id_name").fill("gold")
    page.locator("#id_description").fill("For friends")
    page.get_by_text("Add another Limit").click()
    page.locator("#id_limits-0-name").fill("hourly")
    page.locator("#id_limits-0-quota").fill("1234")
    page.locator("#id_limits-0-window_s").fill("3600")
    pictures(page, "tier-form-filled")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("gold", exact=True).first).to_be_visible()


def make_account(page: Page) -> None:
    """An account `Acme` on the tier."""
    page.goto("/admin/accounts/account/add/")
    page.locator("#id_name").fill("Acme")
    page.locator("#id_tier").select_option(label="gold")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="Acme").first).to_be_visible()


def make_key(page: Page) -> str:
    """A key of the account on the tier; the secret."""
    page.goto("/admin/accounts/account/")
    page.get_by_role("link", name="Acme").first.click()
    page.get_by_role("link", name="make a new one").click()
    page.locator("#id_name").fill("web shop")
    page.locator("#id_tier").select_option(label="gold")
    expect(page.get_by_label("predictions:read")).to_be_checked()
    page.get_by_role("button", name="Save", exact=True).click()
    return read_secret(page, "key-issued")


def read_secret(page: Page, name: str) -> str:
    """The secret that is shown once; a reload shows the key without it."""
    secret = page.get_by_label("Secret").input_value()
    assert re.fullmatch(r"pgw_live_[0-9A-Za-z]{22}_[0-9A-Za-z]{38}", secret)
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#pgw-copied")).to_contain_text("Copied.")
    pictures(page, name)
    page.reload()
    assert secret not in page.content()
    expect(page.get_by_role("link", name="Revoke")).to_be_visible()
    return secret


def call(stack: Stack, secret: str) -> httpx.Response:
    """A call with a key."""
    headers = {"X-API-Key": secret}
    return httpx.get(f"{stack.base_url}/api/prediction/AAPL", headers=headers, timeout=60)


def test_staff_run_a_key_from_its_making_to_its_end(page: Page, stack: Stack, boss: str) -> None:
    log_in(page)
    make_tier(page)
    make_account(page)
    old = make_key(page)
    answer = call(stack, old)
    assert answer.status_code in (200, 404)
    assert answer.headers["X-RateLimit-Limit"] == "1234"

    page.get_by_role("link", name="Rotate").click()
    pictures(page, "rotate")
    page.get_by_label("1 hour").check()
    page.get_by_role("button", name="Rotate the key").click()
    new = read_secret(page, "key-rotated")
    assert call(stack, new).status_code in (200, 404)
    warned = eventually(lambda: (found := call(stack, old)).headers.get("Warning") and found, timeout_s=3)
    assert warned.status_code in (200, 404)

    page.get_by_role("link", name="Revoke").click()
    pictures(page, "revoke")
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_text("is revoked.")).to_be_visible()
    eventually(lambda: call(stack, new).status_code == 401, timeout_s=1)
    assert call(stack, old).status_code in (200, 404)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", ["desk", "phone"])
def test_every_page_fits_and_is_quiet(
    theme: Literal["light", "dark"], width: str, browser: Browser, stack: Stack, boss: str
) -> None:
    size = DESK if width == "desk" else PHONE
    context = browser.new_context(
        base_url=stack.base_url,
        viewport=size,
        color_scheme=theme,
        is_mobile=width == "phone",
    )
    page = context.new_page()
    watch = Watch(page, stack.base_url)
    log_in(page)
    for name, path in PAGES.items():
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], name
        assert page.evaluate("document.documentElement.classList.contains('dark')") is (theme == "dark")
        picture(page, f"{name.replace(' ', '-')}-{theme}-{width}")
    context.close()
    assert not watch.complaints


def test_filters_and_the_menu_of_a_row_are_reached_by_keyboard(page: Page, boss: str) -> None:
    log_in(page)
    page.goto("/admin/accounts/apikey/")
    page.get_by_role("button", name="Filters", exact=True).focus()
    page.keyboard.press("Enter")
    expect(
        page.get_by_role("heading", name="By state").or_(page.get_by_text("By state")).first
    ).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Actions").first.press("Enter")
    expect(page.get_by_role("link", name="Rotate").first).to_be_visible()
