"""Each role may do all that the one below it may, and every scope that is handed out exists."""

from __future__ import annotations

import itertools

import pytest

from accounts.models import default_scopes
from accounts.roles import ROLE_SCOPES, SCOPES, reaches


def test_roles_go_from_viewer_over_operator_to_admin_and_each_adds_to_the_one_before() -> None:
    assert list(ROLE_SCOPES) == ["viewer", "operator", "admin"]
    for lower, upper in itertools.pairwise(ROLE_SCOPES.values()):
        assert lower < upper


def test_viewers_only_look_and_admins_do_everything() -> None:
    assert ROLE_SCOPES["viewer"] == {"predictions:read", "explanations:read", "stream"}
    assert ROLE_SCOPES["operator"] - ROLE_SCOPES["viewer"] == {
        "explanations:write",
        "metrics:read",
        "keys:write",
    }
    assert ROLE_SCOPES["admin"] == set(SCOPES)


def test_new_keys_get_scopes_that_exist_and_no_power_over_keys() -> None:
    assert set(default_scopes()) <= SCOPES.keys()
    assert not {"keys:write", "admin", "metrics:read"} & set(default_scopes())


@pytest.mark.parametrize(
    ("role", "reached"),
    [
        ("viewer", ["viewer"]),
        ("operator", ["viewer", "operator"]),
        ("admin", ["viewer", "operator", "admin"]),
        ("", []),
        ("root", []),
    ],
)
def test_a_role_reaches_itself_and_those_below(role: str, reached: list[str]) -> None:
    assert [wanted for wanted in ROLE_SCOPES if reaches(role, wanted)] == reached
