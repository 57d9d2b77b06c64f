"""Staff look at open sockets in a real browser and close one of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests import people
from tests.browser.conftest import DESK, Watch, pictures
from tests.stack import Stack, eventually, receive

NAME = "Quick & Sons"


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A page of an admin at a desk; at the end nothing may have gone wrong on it."""
    account = people.add_account(stack, "enterprise")
    admin = people.add_user(stack, account=account, role="admin", is_staff=True)
    context = browser.new_context(base_url=stack.base_url, viewport=DESK)
    opened = context.new_page()
    watch = Watch(opened, stack.base_url)
    opened.goto("/admin/")
    opened.get_by_label("Username").fill(admin)
    opened.get_by_label("Password").fill(people.PASSWORD)
    opened.keyboard.press("Enter")
    expect(opened.get_by_role("heading", name="Overview")).to_be_visible()
    yield opened
    context.close()
    assert not watch.complaints


@pytest.fixture
def sockets(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[ClientConnection, ClientConnection]]:
    """Two sockets of an account of their own."""
    key = people.add_key(stack, "enterprise", name="desk 4")
    name = f"{NAME} {key.account_id}"
    stack.execute("UPDATE accounts_account SET name = %s WHERE id = %s", name, key.account_id)
    monkeypatch.setattr(stack, "key", key.secret)
    with stack.socket("AAPL", "MSFT", "IBM", "GOOG", "FB") as one, stack.socket() as other:
        yield one, other


def rows(page: Page, number: int) -> None:
    """Wait until so many connections are listed."""
    expect(page.locator('input[name="connection"]')).to_have_count(number, timeout=60_000)


def test_one_of_two_sockets_is_disconnected_and_the_other_lives_on(
    page: Page, stack: Stack, sockets: tuple[ClientConnection, ClientConnection]
) -> None:
    one, other = sockets
    page.get_by_role("link", name="Connections").click()
    page.get_by_role("searchbox", name="Search connections").fill("quick &")
    page.keyboard.press("Enter")
    rows(page, 2)
    expect(page.get_by_text("2 of 2").first).to_be_visible()
    pictures(page, "connections")
    page.get_by_text("AAPL, MSFT, IBM +2").click()
    expect(page.get_by_text("AAPL, MSFT, IBM, GOOG, FB")).to_be_visible()

    row = page.get_by_role("row").filter(has_text="AAPL")
    row.get_by_role("checkbox").check()
    expect(page.get_by_role("status")).to_contain_text("Paused while rows are chosen")
    pictures(page, "connections-chosen")
    page.get_by_role("button", name="Disconnect 1…").click()
    expect(page.get_by_role("heading", name="Disconnect this connection?").last).to_be_visible()
    pictures(page, "connections-confirm")
    page.get_by_role("button", name="Disconnect", exact=True).click()
    expect(page.get_by_text("Closed: 1.")).to_be_visible()
    rows(page, 1)
    pictures(page, "connections-after")

    assert receive(one)["code"] == "DISCONNECTED"
    with pytest.raises(ConnectionClosed):
        one.recv(timeout=60)
    assert one.close_code == 1012
    other.ping().wait(5)
    [(action, subject)] = eventually(
        lambda: stack.rows("SELECT action, subject FROM accounts_auditevent WHERE kind = 'connection'")
    )
    assert (action, f" of {NAME} " in subject) == ("connection.disconnect", True)


def test_the_list_refreshes_itself_but_not_while_rows_are_chosen(
    page: Page, stack: Stack, sockets: tuple[ClientConnection, ClientConnection]
) -> None:
    page.goto("/admin/connections/?q=quick+%26")
    rows(page, 2)
    with contextlib.ExitStack() as held:
        held.enter_context(stack.socket())
        rows(page, 3)
        page.get_by_role("checkbox", name="Choose all that are shown").check()
        expect(page.get_by_role("button", name="Disconnect 3…")).to_be_enabled()
    page.wait_for_timeout(5_500)
    rows(page, 3)
    expect(page.get_by_role("status")).to_contain_text("Paused while rows are chosen")
    page.get_by_role("checkbox", name="Choose all that are shown").uncheck()
    expect(page.get_by_role("button", name="Disconnect…")).to_be_disabled()
    page.get_by_role("link", name="Refresh").click()
    rows(page, 2)
