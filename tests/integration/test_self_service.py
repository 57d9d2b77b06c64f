"""Keys in the hands of their callers over a real server: what the rim adds, and how soon a change holds."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.integration.rest import assert_problem
from tests.stack import Stack, eventually, receive


@pytest.fixture
def manager(stack: Stack) -> str:
    """A key of tier pro that manages the keys of its account."""
    key = stack.manage("create_key", "--account", "self-service", "--tier", "pro").split()[-1]
    stack.execute(
        "UPDATE api_keys SET scopes = scopes || '[\"keys:write\"]' WHERE id = (SELECT id FROM api_keys "
        "ORDER BY created_at DESC LIMIT 1)"
    )
    eventually(lambda: "keys:write" in ask(stack, "GET", "/auth/profile", key).json()["scopes"])
    return key


def ask(stack: Stack, method: str, path: str, key: str | None, body: Any = None) -> httpx.Response:
    """The answer to a call with `key`."""
    headers = {} if key is None else {"X-API-Key": key}
    return httpx.request(method, stack.base_url + path, headers=headers, json=body, timeout=60)


def test_200_the_profile_has_what_the_headers_say_and_costs_nothing(stack: Stack, manager: str) -> None:
    for _ in range(2):
        response = ask(stack, "GET", "/auth/profile", manager)
        limits = {one["name"]: one for one in response.json()["limits"]}
        assert limits["hourly"]["remaining"] == 1000
        assert response.headers["x-ratelimit-remaining"] == "1000"
        assert limits["burst"]["remaining"] == 250


def test_201_a_new_key_works_at_once_and_204_a_revoked_one_is_refused_soon(
    stack: Stack, manager: str
) -> None:
    made = ask(stack, "POST", "/auth/register", manager, {"name": "bot"})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    secret, public_id = made.json()["key"], made.json()["id"]
    assert ask(stack, "GET", made.headers["location"], manager).json()["name"] == "bot"
    assert ask(stack, "GET", "/auth/profile", secret).json()["caller"]["key"] == public_id
    assert ask(stack, "DELETE", f"/auth/revoke?key={public_id}", manager).status_code == 204
    eventually(lambda: ask(stack, "GET", "/auth/profile", secret).status_code == 401, timeout_s=1.0)
    assert_problem(ask(stack, "GET", "/auth/profile", secret), 401, "INVALID_CREDENTIAL")


def test_201_answers_to_a_rotated_key_warn_of_its_end(stack: Stack, manager: str) -> None:
    old = ask(stack, "POST", "/auth/register", manager).json()
    new = ask(stack, "POST", "/auth/rotate-key", old["key"], {"overlap": "1h"}).json()
    eventually(lambda: "warning" in ask(stack, "GET", "/auth/profile", old["key"]).headers, timeout_s=1.0)
    warned = ask(stack, "GET", "/auth/profile", old["key"])
    assert warned.headers["x-api-key-expires"][:19] == new["old_key_ends_at"][:19]
    assert "warning" not in ask(stack, "GET", "/auth/profile", new["key"]).headers


def test_401_and_404_at_the_rim(stack: Stack, manager: str) -> None:
    for method, path in [
        ("POST", "/auth/register"),
        ("GET", "/auth/keys"),
        ("POST", "/auth/rotate-key"),
        ("DELETE", "/auth/revoke"),
    ]:
        assert_problem(ask(stack, method, path, None), 401, "NOT_AUTHENTICATED")
    assert_problem(ask(stack, "GET", "/auth/keys/" + "0" * 22, manager), 404, "UNKNOWN_KEY")
    assert_problem(ask(stack, "GET", "/auth/keys/%00", manager), 404, "UNKNOWN_KEY")


@pytest.fixture(scope="module")
def shared(stack: Stack) -> str:
    """The key that whoever opens the dashboard can read."""
    return stack.manage("dashboard_key").split()[-1]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/auth/profile", None),
        ("GET", "/auth/keys", None),
        ("GET", "/auth/keys/{id}", None),
        ("PATCH", "/auth/keys/{id}", {"networks": ["203.0.113.7/32"]}),
        ("POST", "/auth/register", {}),
        ("POST", "/auth/rotate-key", {"overlap": "0"}),
        ("POST", "/auth/ws-ticket", None),
        ("DELETE", "/auth/revoke", None),
    ],
)
def test_403_the_key_of_the_dashboard_neither_sees_nor_changes_itself(
    stack: Stack, shared: str, method: str, path: str, body: Any
) -> None:
    public_id = shared.split("_")[2]
    assert_problem(ask(stack, method, path.format(id=public_id), shared, body), 403, "FORBIDDEN")
    assert ask(stack, "GET", "/api/symbols", shared).status_code == 200


def test_one_address_has_twenty_sockets_with_the_key_of_the_dashboard(stack: Stack, shared: str) -> None:
    with contextlib.ExitStack() as held:

        def open_one() -> str:
            socket = connect(stack.socket_url, additional_headers={"X-API-Key": shared}, close_timeout=1)
            return str(receive(held.enter_context(socket))["type"])

        assert [open_one() for _ in range(21)] == ["welcome"] * 20 + ["error"]
        with stack.socket():  # whoever has a key of their own is not concerned
            pass
