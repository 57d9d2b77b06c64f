"""OWASP API8, of the pages for people: where a login leads, whose session it is, what a page runs."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from tests.people import add_key, add_user
from tests.security.conftest import LOGIN, Staff
from tests.stack import Stack

# A login hashes a password: a few of each kind.
ELSEWHERE = [
    "https://evil.example/",
    "/\\evil.example",
    "//evil.example/",
    "https://localhost@evil.example/",
    "javascript:alert(1)",
    "\thttps://evil.example",
]


@pytest.mark.parametrize("place", ["query", "form"])
def test_302_a_login_leads_to_no_other_server(staff: Staff, place: str) -> None:
    for elsewhere in ELSEWHERE[:2] if place == "form" else ELSEWHERE[2:]:
        if place == "form":
            answer = staff.log_in(next=elsewhere)
        else:
            answer = staff.log_in(f"{LOGIN}?next={quote(elsewhere, safe='')}")
        assert answer.status_code == 302
        leads = answer.headers["location"]
        assert re.match(r"/(?![/\\])", leads), leads
        staff.call("POST", "/admin/logout/")
        staff.call("GET", LOGIN)


def test_a_session_that_somebody_else_has_chosen_is_not_taken(staff: Staff) -> None:
    chosen = staff.cookies["sessionid"] = "a" * 32
    assert staff.log_in().status_code == 302
    mine = staff.cookies["sessionid"]
    assert mine != chosen
    assert staff.call("GET", "/admin/").status_code == 200
    staff.cookies["sessionid"] = chosen
    assert staff.call("GET", "/admin/").status_code == 302


def test_a_session_has_ended_with_its_logout_and_its_token_of_forms_changes(staff: Staff) -> None:
    before = staff.cookies["csrftoken"]
    staff.log_in()
    session = staff.cookies["sessionid"]
    assert staff.cookies["csrftoken"] != before
    assert staff.call("POST", "/admin/logout/").status_code in (200, 302)
    staff.cookies["sessionid"] = session
    assert staff.call("GET", "/admin/").status_code == 302


def test_403_for_a_form_of_another_page(stack: Stack, staff: Staff) -> None:
    staff.log_in()
    count = stack.rows("SELECT count(*) FROM accounts_account")
    good = staff.cookies["csrftoken"]
    staff.cookies["csrftoken"] = "b" * len(good)
    cookie = f"sessionid={staff.cookies['sessionid']}; csrftoken={good}"
    sent = {"name": "forged", "tier": "1", "is_active": "on", "csrfmiddlewaretoken": "b" * len(good)}
    for origin in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        headers = {"Cookie": cookie, **origin}
        answer = staff.browser.post("/admin/accounts/account/add/", data=sent, headers=headers)
        assert answer.status_code == 403
    assert stack.rows("SELECT count(*) FROM accounts_account") == count


PAGES = [
    "/admin/",
    "/admin/accounts/apikey/",
    "/admin/accounts/apikey/add/",
    "/admin/accounts/tier/1/change/",
]


def test_pages_of_the_admin_run_no_script_that_stands_in_them(staff: Staff) -> None:
    staff.log_in()
    for path in PAGES:
        page = staff.call("GET", path)
        assert page.status_code == 200, path
        policy = page.headers["content-security-policy"]
        assert "'unsafe-inline'" not in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["cache-control"].count("no-store") or page.headers["cache-control"].count(
            "private"
        )
        handlers = re.findall(r"<[^>]*\s(on(?:click|load|error|submit|change|focus))=", page.text)
        assert not handlers, (path, handlers)


NAME = "<script>window.ran=1</script><img src=x onerror=window.ran=1>\"'{{7*7}}${7*7}"


def test_names_that_are_markup_are_text_on_every_page_of_the_admin(stack: Stack, staff: Staff) -> None:
    account = stack.rows(
        "INSERT INTO accounts_account (name, tier_id, is_active, created_at)"
        " SELECT %s, id, true, now() FROM accounts_tier WHERE name = 'pro' RETURNING id",
        NAME,
    )[0][0]
    key = add_key(stack, "pro", account=account, name=NAME, last_used_agent=NAME, last_used_address="1.1.1.1")
    add_user(stack, account=account, first_name=NAME[:100], email="x@x.example")
    staff.log_in()
    pages = [
        f"/admin/accounts/account/{account}/change/",
        f"/admin/accounts/apikey/{key.id}/change/",
        f"/admin/accounts/apikey/{key.id}/revoke/",
        "/admin/accounts/account/?q=window.ran",
        "/admin/accounts/apikey/?q=window.ran",
        "/admin/accounts/user/?q=window.ran",
        "/admin/search/?s=window.ran&extended=1",
    ]
    shown = 0
    for path in pages:
        page = staff.call("GET", path)
        assert page.status_code in (200, 302, 404), path
        assert "<script>window.ran" not in page.text, path
        assert "<img src=x" not in page.text, path
        shown += "window.ran=1" in page.text
    assert shown >= 4
