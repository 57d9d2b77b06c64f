"""Who may open a socket, and how long it stays open: keys, logins and tickets, and the end of each."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.people import Key, add_key, add_user, bearer, log_in
from tests.stack import Stack, event, eventually, receive, send

Headers = dict[str, str]


@contextlib.contextmanager
def opened(stack: Stack, headers: Headers, query: str = "") -> Iterator[ClientConnection]:
    """A socket that shows `headers` or `query` and is welcomed."""
    url = stack.socket_url + query
    with connect(url, additional_headers=headers, close_timeout=1) as socket:
        assert receive(socket)["type"] == "welcome"
        yield socket


def close_of(socket: ClientConnection, *, timeout_s: float = 60.0) -> tuple[str, int]:
    """The code of the last error frame, and the close code."""
    code = ""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            frame = receive(socket, timeout_s=max(0.01, deadline - time.monotonic()))
        except ConnectionClosed as closed:
            return code, closed.rcvd.code if closed.rcvd else 1006
        code = frame.get("code", code)


def refusal(stack: Stack, headers: Headers, query: str = "") -> tuple[str, int]:
    """How a socket is refused."""
    with connect(stack.socket_url + query, additional_headers=headers, close_timeout=1) as socket:
        return close_of(socket)


def ticket_of(stack: Stack, headers: Headers) -> str:
    """A ticket for whoever shows `headers`."""
    response = httpx.post(f"{stack.base_url}/auth/ws-ticket", headers=headers, timeout=60)
    assert response.status_code == 201, response.text
    ticket: str = response.json()["ticket"]
    return ticket


@pytest.fixture
def key(stack: Stack) -> Key:
    """A key on the tier pro."""
    return add_key(stack, "pro")


@pytest.fixture
def pair(stack: Stack, key: Key) -> dict[str, Any]:
    """The tokens of a person of the key's account."""
    return log_in(stack, add_user(stack, account=key.account_id))


def test_an_access_token_opens_a_socket_in_the_header_the_query_and_the_first_frame(
    stack: Stack, pair: dict[str, Any], known: str
) -> None:
    with opened(stack, bearer(pair)) as socket:
        send(socket, action="subscribe", symbols=[known])
        assert receive(socket)["symbols"] == [known]
        assert receive(socket)["symbol"] == known
    with opened(stack, {}, f"?token={pair['access_token']}"):
        pass
    with connect(stack.socket_url, close_timeout=1) as socket:
        send(socket, action="auth", token=pair["access_token"], id="1")
        welcome = receive(socket)
        assert (welcome["type"], welcome["id"]) == ("welcome", "1")


@pytest.mark.parametrize("token", ["", "junk", "eyJhbGciOiJub25lIn0.e30.", "pgwt_" + "x" * 43])
def test_4401_for_a_bad_token_in_the_query_or_the_first_frame(stack: Stack, token: str) -> None:
    assert refusal(stack, {}, f"?token={token}") == ("INVALID_CREDENTIAL", 4401)
    with connect(stack.socket_url, close_timeout=1) as socket:
        send(socket, action="auth", token=token)
        assert close_of(socket) == ("INVALID_CREDENTIAL", 4401)


def test_a_ticket_opens_one_socket_and_no_second_one(stack: Stack, key: Key, pair: dict[str, Any]) -> None:
    for headers in (key.header, bearer(pair)):
        ticket = ticket_of(stack, headers)
        with opened(stack, {}, f"?token={ticket}"):
            assert refusal(stack, {}, f"?token={ticket}") == ("INVALID_CREDENTIAL", 4401)
        other = ticket_of(stack, headers)
        with connect(stack.socket_url, close_timeout=1) as socket:
            send(socket, action="auth", token=other)
            assert receive(socket)["type"] == "welcome"


def test_a_ticket_of_a_key_that_was_revoked_meanwhile_is_worth_nothing(stack: Stack, key: Key) -> None:
    ticket = ticket_of(stack, key.header)
    stack.execute("UPDATE api_keys SET revoked_at = now() WHERE id = %s", key.id)
    eventually(lambda: _is_refused(stack, key.header), timeout_s=1.0)
    assert refusal(stack, {}, f"?token={ticket}") == ("INVALID_CREDENTIAL", 4401)


def _is_refused(stack: Stack, headers: Headers) -> bool:
    return httpx.get(f"{stack.base_url}/auth/profile", headers=headers, timeout=60).status_code == 401


KEY_ENDS = {
    "revoked": "UPDATE api_keys SET revoked_at = now() WHERE id = %(key)s",
    "expired": "UPDATE api_keys SET expires_at = now() WHERE id = %(key)s",
    "deleted": "DELETE FROM api_keys WHERE id = %(key)s",
    "account off": "UPDATE accounts_account SET is_active = false WHERE id = %(account)s",
    "another network": "UPDATE api_keys SET networks = '[\"203.0.113.0/24\"]' WHERE id = %(key)s",
}


@pytest.mark.parametrize("statement", KEY_ENDS.values(), ids=KEY_ENDS.keys())
def test_4401_within_a_second_after_a_key_has_ended(stack: Stack, key: Key, statement: str) -> None:
    with opened(stack, key.header) as socket:
        _execute(stack, statement, key)
        assert close_of(socket, timeout_s=1.0) == ("CREDENTIAL_ENDED", 4401)
    assert refusal(stack, key.header) == ("INVALID_CREDENTIAL", 4401)


def _execute(stack: Stack, statement: str, key: Key) -> None:
    values = {"key": key.id, "account": key.account_id}
    names = [name for name in values if f"%({name})s" in statement]
    for name in names:
        statement = statement.replace(f"%({name})s", "%s")
    stack.execute(statement, *(values[name] for name in names))


KEY_CHANGES = {
    "scopes": "UPDATE api_keys SET scopes = '[\"stream\"]' WHERE id = %(key)s",
    "tier": "UPDATE api_keys SET tier_id = t.id FROM accounts_tier t"
    " WHERE t.name = 'free' AND api_keys.id = %(key)s",
}


@pytest.mark.parametrize("statement", KEY_CHANGES.values(), ids=KEY_CHANGES.keys())
def test_1012_within_a_second_after_the_rights_of_a_key_have_changed(
    stack: Stack, key: Key, statement: str
) -> None:
    with opened(stack, key.header) as socket:
        _execute(stack, statement, key)
        assert close_of(socket, timeout_s=1.0) == ("CREDENTIAL_CHANGED", 1012)
    with opened(stack, key.header):  # it may come back at once, with the rights that it has now
        pass


def test_a_name_or_another_key_changes_nothing_for_an_open_socket(stack: Stack, key: Key, known: str) -> None:
    other = add_key(stack, "pro", account=key.account_id)
    with opened(stack, key.header) as socket:
        send(socket, action="subscribe", symbols=[known], snapshot=False)
        assert receive(socket)["symbols"] == [known]
        stack.execute("UPDATE api_keys SET name = 'other' WHERE id = %s", key.id)
        stack.execute("UPDATE api_keys SET revoked_at = now() WHERE id = %s", other.id)
        eventually(lambda: _is_refused(stack, other.header), timeout_s=1.0)
        stack.publish(event(known, predicted_price=7.0))
        assert receive(socket)["predicted_price"] == 7.0


def test_4401_when_the_overlap_of_a_rotation_is_over(stack: Stack, key: Key) -> None:
    with opened(stack, key.header) as socket:
        stack.execute("UPDATE api_keys SET expires_at = now() + interval '1.5 seconds' WHERE id = %s", key.id)
        send(socket, action="ping")
        assert receive(socket)["type"] == "pong"
        assert close_of(socket, timeout_s=3.0) == ("CREDENTIAL_ENDED", 4401)


def _log_out(stack: Stack, name: str, pair: dict[str, Any]) -> None:
    body = {"refresh_token": pair["refresh_token"]}
    assert httpx.post(f"{stack.base_url}/auth/logout", json=body, timeout=60).status_code == 204


def _execute_on_user(change: str) -> Callable[[Stack, str, dict[str, Any]], None]:
    def act(stack: Stack, name: str, pair: dict[str, Any]) -> None:
        stack.execute(f"UPDATE accounts_user SET {change} WHERE username = %s", name)  # noqa: S608

    return act


LOGIN_ENDS = {
    "logout": (_log_out, ("CREDENTIAL_ENDED", 4401)),
    "another password": (_execute_on_user("password = 'x'"), ("CREDENTIAL_ENDED", 4401)),
    "switched off": (_execute_on_user("is_active = false"), ("CREDENTIAL_ENDED", 4401)),
    "another role": (_execute_on_user("role = 'viewer'"), ("CREDENTIAL_CHANGED", 1012)),
}


@pytest.mark.parametrize("end", LOGIN_ENDS.values(), ids=LOGIN_ENDS.keys())
def test_a_login_takes_its_sockets_along(stack: Stack, key: Key, end: Any) -> None:
    act, expected = end
    name = add_user(stack, account=key.account_id)
    pair = log_in(stack, name)
    with opened(stack, bearer(pair)) as socket:
        act(stack, name, pair)
        assert close_of(socket, timeout_s=1.0) == expected


def test_4403_for_a_key_without_the_scope(stack: Stack) -> None:
    silent = add_key(stack, "pro", scopes='["predictions:read"]')
    assert refusal(stack, silent.header) == ("SCOPE_MISSING", 4403)
    refused = httpx.post(f"{stack.base_url}/auth/ws-ticket", headers=silent.header, timeout=60)
    assert refused.status_code == 403
