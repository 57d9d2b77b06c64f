"""A secret is in the one answer that shows it and nowhere else: all that the gateway keeps is searched.

Keys, passwords, access and refresh tokens, tickets; in the database (every row of every table, so the audit
too), Redis (every key and value), the logs at DEBUG, later answers, and every page of the admin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from websockets.sync.client import connect

from tests.people import PASSWORD, add_account, add_key, add_user, bearer, log_in
from tests.stack import Stack, event, eventually, receive


@dataclass
class Life:
    """A stack on which everything was done that involves a secret, and those secrets by what they are."""

    stack: Stack
    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)

    def keep(self, what: str, key: str) -> None:
        """Remember a key, and the random part of it by itself."""
        self.secrets[what] = key
        self.secrets[f"random part of {what}"] = key.rpartition("_")[2][:32]

    def find_in(self, text: str) -> list[str]:
        """What of the secrets is in `text`."""
        return [what for what, secret in self.secrets.items() if secret in text]


@pytest.fixture
def life(own_stack: Stack, tmp_path: Path) -> Life:
    """A stack on which everything was done that involves a secret."""
    own_stack.log_path = tmp_path / "log"
    # So that a client that keeps to the rules of cookies stays logged in over plain http.
    own_stack.environ |= {"LOG_LEVEL": "DEBUG", "USAGE_FLUSH_S": "0.2", "SECURITY_PRESET": "development"}
    own_stack.environ |= {"ACCESS_LOG": "true"}
    made = own_stack.manage("create_key", "--account", "secrets", "--tier", "enterprise")
    own_stack.key = made.split()[-1]
    own_stack.start_bridge()
    own_stack.start_web()
    own_stack.publish(event("AAPL"))
    eventually(lambda: own_stack.read("AAPL"))
    lived = Life(own_stack, {"password": PASSWORD})
    lived.keep("key of create_key", own_stack.key)
    _use_keys(lived)
    _use_wrong_ones(lived)
    eventually(lambda: own_stack.rows("SELECT 1 FROM accounts_authenticationfailure WHERE reason = 'login'"))
    eventually(lambda: own_stack.rows("SELECT 1 FROM api_keys WHERE last_used_at IS NOT NULL"))
    return lived


def _use_keys(life: Life) -> None:
    stack = life.stack
    person = add_user(stack, account=add_account(stack, "pro"))
    pair = log_in(stack, person)
    again = _post(life, "/auth/refresh", {}, {"refresh_token": pair["refresh_token"]})
    for number, one in enumerate((pair, again)):
        life.secrets[f"access token {number}"] = one["access_token"]
        life.secrets[f"refresh token {number}"] = one["refresh_token"]
    headers = bearer(again)
    made = _post(life, "/auth/register", headers, {"name": "laptop"})
    life.keep("registered key", made["key"])
    rotated = _post(life, "/auth/rotate-key", headers, {"key": made["id"]})
    life.keep("rotated key", rotated["key"])
    for key in (made["key"], rotated["key"]):
        own = {"X-API-Key": key}
        for path in ("/api/prediction/AAPL", "/auth/profile", "/auth/keys", "/api/nothing"):
            life.answers.append(_told(httpx.get(stack.base_url + path, headers=own)))
        with connect(stack.socket_url, additional_headers=own, close_timeout=1) as socket:
            life.answers.append(str(receive(socket)))
    ticket = _post(life, "/auth/ws-ticket", headers, {})["ticket"]
    life.secrets["ticket"] = ticket
    for token in (ticket, again["access_token"]):
        with connect(f"{stack.socket_url}?token={token}", close_timeout=1) as socket:
            life.answers.append(str(receive(socket)))
    life.secrets["unused ticket"] = _post(life, "/auth/ws-ticket", headers, {})["ticket"]
    _post(life, "/auth/refresh", {}, {"refresh_token": pair["refresh_token"]}, status=401)  # a replay


def _use_wrong_ones(life: Life) -> None:
    """Attempts that fail must not leave more than those that succeed."""
    stack = life.stack
    revoked = add_key(stack, "pro", revoked_at="now()")
    life.keep("revoked key", revoked.secret)
    life.secrets["mistyped password"] = "my other password is swordfish"
    _post(
        life,
        "/auth/login",
        {},
        {"username": "ann", "password": life.secrets["mistyped password"]},
        status=401,
    )
    # Somebody types the password into the field for the name.
    _post(
        life, "/auth/login", {}, {"username": life.secrets["mistyped password"], "password": "x"}, status=401
    )
    mistyped = revoked.secret[:-1] + ("a" if revoked.secret[-1] != "a" else "b")
    life.secrets["mistyped key"] = mistyped
    for key in (revoked.secret, mistyped):
        for headers in (
            {"X-API-Key": key},
            {"Authorization": f"Bearer {key}"},
            {"X-API-Key": stack.key, "Cookie": key},
        ):
            life.answers.append(_told(httpx.get(f"{stack.base_url}/api/prediction/AAPL", headers=headers)))
        life.answers.append(_told(httpx.get(f"{stack.base_url}/auth/profile", params={"api_key": key})))
        with connect(f"{stack.socket_url}?token={key}", close_timeout=1) as socket:
            life.answers.append(str(receive(socket)))


def _told(response: httpx.Response) -> str:
    return f"{response.headers}\n{response.text}"


def _post(life: Life, path: str, headers: dict[str, str], body: Any, *, status: int = 0) -> dict[str, Any]:
    response = httpx.post(life.stack.base_url + path, headers=headers, json=body, timeout=60)
    assert response.status_code == status or (not status and response.status_code in (200, 201)), (
        response.text
    )
    if status:
        life.answers.append(_told(response))
    answer: dict[str, Any] = response.json()
    return answer


def test_a_secret_is_nowhere_but_in_its_one_answer(life: Life) -> None:
    assert len(life.secrets) >= 17
    for table, rows in _tables(life.stack):
        assert not life.find_in(rows), table
    assert not life.find_in(_everything_in_redis(life.stack.redis.url))
    assert life.stack.log_path is not None
    log = life.stack.log_path.read_text()
    assert "authentication failed" in log  # it is the log that would hold them
    assert '"logger":"access"' in log
    assert not life.find_in(log)
    for answer in life.answers:
        assert not life.find_in(answer), answer


def _tables(stack: Stack) -> Iterator[tuple[str, str]]:
    names = [row[0] for row in stack.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    assert {"api_keys", "accounts_auditevent", "accounts_refreshtoken", "django_session"} <= set(names)
    for name in names:
        yield name, "\n".join(row[0] for row in stack.rows(f'SELECT t::text FROM "{name}" t'))  # noqa: S608


def _everything_in_redis(url: str) -> str:
    with redis.Redis.from_url(url) as client:
        names = list(client.scan_iter("*"))
        assert any(name.startswith(b"pgw:ticket:") for name in names)
        return "\n".join(f"{name!r} {client.dump(name)!r}" for name in names)


def test_no_page_of_the_admin_shows_a_secret(life: Life) -> None:
    stack = life.stack
    admin = add_user(stack, account=add_account(stack, "pro"), role="admin", is_staff=True, is_superuser=True)
    digests = [row[0] for row in stack.rows("SELECT digest FROM api_keys")]
    with httpx.Client(base_url=stack.base_url, follow_redirects=True, timeout=60) as browser:
        form = browser.get("/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
        assert token
        body = {"username": admin, "password": PASSWORD, "csrfmiddlewaretoken": token[1], "next": "/admin/"}
        first = browser.post(
            "/admin/login/", data=body, headers={"Referer": f"{stack.base_url}/admin/login/"}
        )
        assert first.status_code == 200
        assert "/admin/accounts/apikey/" in first.text
        pages = _walk(browser, "/admin/")
    assert len(pages) > 30
    for path, page in pages.items():
        assert not life.find_in(page), path
        assert not [digest for digest in digests if digest in page], path


def _walk(browser: httpx.Client, start: str) -> dict[str, str]:
    """Every page of the admin that links lead to from `start`."""
    pages: dict[str, str] = {}
    waiting = [start]
    while waiting and len(pages) < 300:
        path = waiting.pop()
        if path in pages or "logout" in path:
            continue
        response = browser.get(path)
        assert response.status_code == 200, (path, response.status_code)
        pages[path] = response.text
        links = re.findall(r'href="(/admin/[^"#?]*)', response.text)
        waiting += [link for link in dict.fromkeys(links) if link not in pages]
    return pages
