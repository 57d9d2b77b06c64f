"""The rule that reads the table of routes: who is let in, who is asked for a credential, who may not."""

from __future__ import annotations

import uuid

import pytest

from accounts.access import PUBLIC, ROUTES, SOCKET, UNMATCHED, Need, NotAllowed, check, need_of
from accounts.callers import SHARED_TIER, Caller
from accounts.roles import SCOPES

READ = frozenset({"predictions:read"})
NOTHING: frozenset[str] = frozenset()


def a_caller(authenticated: bool, scopes: frozenset[str], is_shared: bool = False) -> Caller:
    """Somebody with `scopes`."""
    return Caller(
        tier=SHARED_TIER if is_shared else "pro",
        scopes=scopes,
        account_id=1 if authenticated else None,
        key_id=uuid.UUID(int=1) if authenticated else None,
    )


def outcome(
    need: Need,
    *,
    authenticated: bool = True,
    scopes: frozenset[str] = READ,
    anonymous_access: bool = True,
    is_shared: bool = False,
) -> str:
    """``allowed``, or the code of the refusal."""
    try:
        check(need, a_caller(authenticated, scopes, is_shared), anonymous_access=anonymous_access)
    except NotAllowed as refused:
        return refused.code
    return "allowed"


@pytest.mark.parametrize("anonymous_access", [True, False])
@pytest.mark.parametrize("authenticated", [True, False])
def test_public_routes_take_everyone(authenticated: bool, anonymous_access: bool) -> None:
    found = outcome(PUBLIC, authenticated=authenticated, scopes=NOTHING, anonymous_access=anonymous_access)
    assert found == "allowed"


@pytest.mark.parametrize(
    ("authenticated", "scopes", "anonymous_access", "expected"),
    [
        (True, READ, True, "allowed"),
        (True, READ, False, "allowed"),
        (True, NOTHING, True, "SCOPE_MISSING"),
        (False, READ, True, "allowed"),
        (False, READ, False, "NOT_AUTHENTICATED"),
    ],
)
def test_routes_for_anonymous_callers_take_them_where_the_gateway_is_set_up_so(
    authenticated: bool, scopes: frozenset[str], anonymous_access: bool, expected: str
) -> None:
    need = Need("predictions:read", anonymous=True)
    found = outcome(need, authenticated=authenticated, scopes=scopes, anonymous_access=anonymous_access)
    assert found == expected


@pytest.mark.parametrize("anonymous_access", [True, False])
def test_401_goes_before_403(anonymous_access: bool) -> None:
    for need in (Need(), Need("stream"), Need("admin")):
        found = outcome(need, authenticated=False, scopes=READ, anonymous_access=anonymous_access)
        assert found == "NOT_AUTHENTICATED"


def test_a_need_without_a_scope_takes_any_good_credential() -> None:
    assert outcome(Need(), scopes=NOTHING) == "allowed"


def test_what_is_personal_is_not_for_a_key_that_many_share() -> None:
    assert outcome(Need(personal=True)) == "allowed"
    assert outcome(Need(personal=True), is_shared=True) == "FORBIDDEN"
    assert outcome(Need("predictions:read"), is_shared=True) == "allowed"


def test_all_of_keys_tickets_and_profile_is_personal() -> None:
    private = {route for route in ROUTES if route.startswith("auth-")} - {
        "auth-login",
        "auth-refresh",
        "auth-logout",
    }
    assert all(need.personal for route in private for need in ROUTES[route].values())


def test_the_refusal_names_the_scope_that_is_missing() -> None:
    with pytest.raises(NotAllowed, match="does not have the scope stream") as refused:
        check(SOCKET, a_caller(True, READ), anonymous_access=True)
    assert refused.value.code == "SCOPE_MISSING"


@pytest.mark.parametrize("route", ROUTES)
def test_head_is_get_and_options_is_public_on_every_route_of_the_table(route: str) -> None:
    assert need_of(route, "HEAD") == need_of(route, "GET") == ROUTES[route].get("GET")
    assert need_of(route, "OPTIONS") == PUBLIC


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_a_route_that_is_not_in_the_table_has_no_need_that_could_be_met(method: str) -> None:
    assert need_of("nowhere", method) is None
    assert need_of("", method) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "", "BREW"])
def test_a_method_that_is_not_in_the_table_has_none_either(method: str) -> None:
    assert need_of("prediction", method) is None


def test_every_scope_of_the_table_exists_and_no_route_is_public_and_scoped() -> None:
    needs = [need for methods in ROUTES.values() for need in methods.values()] + [SOCKET, UNMATCHED]
    for need in needs:
        assert need.scope is None or need.scope in SCOPES
        assert not (need.public and (need.scope or need.anonymous or need.cost))


def test_the_table_names_methods_in_capitals_and_leaves_out_what_follows_from_others() -> None:
    for methods in ROUTES.values():
        assert methods
        assert set(methods) <= {"GET", "POST", "PUT", "PATCH", "DELETE"}


def test_what_anonymous_callers_may_do_is_no_more_than_reading_predictions_and_registering() -> None:
    anonymous = {
        (route, method)
        for route, methods in ROUTES.items()
        for method, need in methods.items()
        if need.anonymous
    }
    assert anonymous == {
        ("prediction", "GET"),
        ("prediction-history", "GET"),
        ("prediction-accuracy", "GET"),
        ("predictions", "GET"),
        ("symbols", "GET"),
        ("auth-register", "POST"),
    }


def test_guessing_paths_costs_as_much_as_reading_and_needs_no_credential() -> None:
    assert UNMATCHED.cost == 1
    assert outcome(UNMATCHED, authenticated=False) == "allowed"
    assert outcome(UNMATCHED, authenticated=False, anonymous_access=False) == "NOT_AUTHENTICATED"
