"""Who may do what with whose key: one table over callers, routes and keys, allowed and refused."""

from __future__ import annotations

import pytest

from accounts.access import ROUTES
from accounts.models import ApiKey
from tests.accounts.callers import NOBODY, Holder, call, key, person

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.accounts.callers")]

CALLERS = ["nobody", "viewer", "operator", "admin", "manager", "plain"]

# A plain key has scopes that every caller has too; `mine` was made by the viewer, `own` is the calling key.
TABLE: dict[tuple[str, str, str], list[int]] = {
    # method, path, which key                 nobody viewer operator admin manager plain
    ("POST", "/auth/register", ""): [401, 201, 201, 201, 201, 403],
    ("GET", "/auth/profile", ""): [401, 200, 200, 200, 200, 200],
    ("GET", "/auth/keys", ""): [401, 200, 200, 200, 200, 200],
    ("GET", "/auth/keys/{}", "mine"): [401, 200, 200, 200, 200, 404],
    ("GET", "/auth/keys/{}", "ours"): [401, 404, 200, 200, 200, 404],
    ("GET", "/auth/keys/{}", "strong"): [401, 404, 200, 200, 200, 404],
    ("GET", "/auth/keys/{}", "foreign"): [401, 404, 404, 404, 404, 404],
    ("GET", "/auth/keys/{}", "plain"): [401, 404, 200, 200, 200, 200],
    ("PATCH", "/auth/keys/{}", "mine"): [401, 200, 200, 200, 200, 404],
    ("PATCH", "/auth/keys/{}", "ours"): [401, 404, 200, 200, 200, 404],
    ("PATCH", "/auth/keys/{}", "strong"): [401, 404, 403, 200, 403, 404],
    ("PATCH", "/auth/keys/{}", "foreign"): [401, 404, 404, 404, 404, 404],
    ("PATCH", "/auth/keys/{}", "plain"): [401, 404, 200, 200, 200, 200],
    ("POST", "/auth/rotate-key", "mine"): [401, 201, 201, 201, 201, 404],
    ("POST", "/auth/rotate-key", "ours"): [401, 404, 201, 201, 201, 404],
    ("POST", "/auth/rotate-key", "strong"): [401, 404, 403, 201, 403, 404],
    ("POST", "/auth/rotate-key", "foreign"): [401, 404, 404, 404, 404, 404],
    ("POST", "/auth/rotate-key", "plain"): [401, 404, 201, 201, 201, 201],
    ("POST", "/auth/rotate-key", ""): [401, 422, 422, 422, 201, 201],
    ("DELETE", "/auth/revoke", "mine"): [401, 204, 204, 204, 204, 404],
    ("DELETE", "/auth/revoke", "ours"): [401, 404, 204, 204, 204, 404],
    ("DELETE", "/auth/revoke", "strong"): [401, 404, 204, 204, 204, 404],
    ("DELETE", "/auth/revoke", "foreign"): [401, 404, 404, 404, 404, 404],
    ("DELETE", "/auth/revoke", "plain"): [401, 404, 204, 204, 204, 204],
    ("DELETE", "/auth/revoke", ""): [401, 400, 400, 400, 204, 204],
    ("POST", "/auth/ws-ticket", ""): [401, 201, 201, 201, 201, 403],
}

ROUTE_NAMES = {
    "/auth/register": "auth-register",
    "/auth/profile": "auth-profile",
    "/auth/keys": "auth-keys",
    "/auth/keys/{}": "auth-key",
    "/auth/rotate-key": "auth-rotate-key",
    "/auth/revoke": "auth-revoke",
    "/auth/ws-ticket": "auth-ws-ticket",
}


@pytest.fixture
def everybody() -> dict[str, Holder]:
    """Callers and keys: a viewer, an operator and an admin of one account, its keys, and a foreign one."""
    found = {role: person(f"the-{role}", role) for role in ("viewer", "operator", "admin")}
    return found | {
        "nobody": NOBODY,
        "manager": key("keys:write", "predictions:read", "stream"),
        "plain": key("predictions:read"),
        "mine": key("predictions:read", by="the-viewer"),
        "ours": key("predictions:read", by="the-operator"),
        "strong": key("predictions:read", "admin", by="the-admin"),
        "foreign": key("predictions:read", of="another account"),
    }


def attempt(who: Holder, method: str, path: str, which: str) -> int:
    """The status of a call that is right in every other respect."""
    if method == "PATCH":
        return int(call(method, path.format(which), who, {"networks": ["127.0.0.0/8"]}).status_code)
    if path == "/auth/rotate-key":
        return int(call(method, path, who, {"key": which} if which else {}).status_code)
    query = f"?key={which}" if method == "DELETE" and which else ""
    return int(call(method, path.format(which) + query, who).status_code)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("method", "path", "which"), TABLE)
def test_the_status_is_as_the_table_says(
    everybody: dict[str, Holder], method: str, path: str, which: str, caller: str
) -> None:
    expected = TABLE[method, path, which][CALLERS.index(caller)]
    before = list(ApiKey.objects.order_by("pk").values())
    named = str(everybody[which]) if which else ""
    assert attempt(everybody[caller], method, path, named) == expected
    changed = list(ApiKey.objects.order_by("pk").values()) != before
    assert changed is (expected < 300 and method != "GET" and path != "/auth/ws-ticket")


@pytest.mark.parametrize(
    ("caller", "sees"),
    [
        ("viewer", {"mine"}),
        ("operator", {"manager", "plain", "mine", "ours", "strong"}),
        ("admin", {"manager", "plain", "mine", "ours", "strong"}),
        ("manager", {"manager", "plain", "mine", "ours", "strong"}),
        ("plain", {"plain"}),
    ],
)
def test_the_list_has_what_the_caller_may_see(
    everybody: dict[str, Holder], caller: str, sees: set[str]
) -> None:
    page = call("GET", "/auth/keys", everybody[caller]).json()
    assert {found["id"] for found in page["data"]} == {str(everybody[one]) for one in sees}


def test_keys_of_the_account_that_a_person_has_left_are_not_theirs_any_more(
    everybody: dict[str, Holder],
) -> None:
    ApiKey.objects.filter(created_by__username="the-viewer").update(
        account=ApiKey.objects.get(account__name="another account").account
    )
    assert attempt(everybody["viewer"], "GET", "/auth/keys/{}", str(everybody["mine"])) == 404


def test_every_key_route_of_the_access_table_is_in_here() -> None:
    tried = {(ROUTE_NAMES[path], method) for method, path, _ in TABLE}
    public = {"auth-login", "auth-refresh", "auth-logout"}
    wanted = {
        (route, method)
        for route, methods in ROUTES.items()
        for method in methods
        if route.startswith("auth-") and route not in public
    }
    assert tried == wanted, "Add the new route to TABLE, with a status for each caller."
