"""What a caller may do to a key, decided without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.key_rules import (
    ScopeNeeded,
    Terms,
    check_change,
    check_grant,
    check_manages,
    ends_later,
)

SOON = datetime(2026, 3, 1, tzinfo=UTC)
LATER = SOON + timedelta(days=1)
BEFORE = Terms(frozenset({"stream", "predictions:read"}), ("10.0.0.0/8", "2001:db8::/32"), SOON)
OWN = BEFORE.scopes


def terms(**changes: Any) -> Terms:
    """`BEFORE` with `changes`."""
    found = {"scopes": BEFORE.scopes, "networks": BEFORE.networks, "expires_at": BEFORE.expires_at}
    return Terms(**{**found, **changes})


WIDER = [
    terms(expires_at=LATER),
    terms(expires_at=None),
    terms(networks=()),
    terms(networks=("0.0.0.0/0",)),
    terms(networks=("10.1.0.0/16", "192.0.2.0/24")),
    terms(networks=("2001:db9::/32",)),
]
NARROWER = [
    BEFORE,
    terms(scopes=frozenset({"stream"})),
    terms(expires_at=SOON - timedelta(days=1)),
    terms(networks=("10.1.0.0/16",)),
    terms(networks=("10.1.0.0/16", "2001:db8:1::/48")),
]


@pytest.mark.parametrize("after", NARROWER)
def test_a_key_may_narrow_itself(after: Terms) -> None:
    check_change(BEFORE, after, own=OWN, is_key=True)


@pytest.mark.parametrize("after", WIDER)
def test_a_key_may_not_free_itself_unless_it_manages_keys(after: Terms) -> None:
    with pytest.raises(ScopeNeeded, match="keys:write"):
        check_change(BEFORE, after, own=OWN, is_key=True)
    check_change(BEFORE, after, own=OWN | {"keys:write"}, is_key=True)
    check_change(BEFORE, after, own=OWN, is_key=False)


@pytest.mark.parametrize("after", [*WIDER, *NARROWER[2:]])
def test_whoever_has_less_than_the_key_may_not_change_its_terms(after: Terms) -> None:
    for is_key in (True, False):
        with pytest.raises(ScopeNeeded, match="do not have: predictions:read"):
            check_change(BEFORE, after, own=frozenset({"stream", "keys:write"}), is_key=is_key)


def test_whoever_has_less_than_the_key_may_rename_it_or_bring_it_down_to_what_they_have() -> None:
    own = frozenset({"stream"})
    check_change(BEFORE, BEFORE, own=own, is_key=False)
    check_change(BEFORE, terms(scopes=own, networks=()), own=own, is_key=False)


def test_a_key_without_networks_may_take_some() -> None:
    everywhere = terms(networks=())
    assert BEFORE.is_narrower_than(everywhere)
    assert everywhere.is_narrower_than(everywhere)
    assert not everywhere.is_narrower_than(BEFORE)


def test_nobody_gives_what_they_do_not_have() -> None:
    check_grant(["stream"], OWN)
    check_grant([], frozenset())
    with pytest.raises(ScopeNeeded, match="do not have: admin, keys:write"):
        check_grant(["keys:write", "stream", "admin"], OWN)


def test_only_a_key_that_manages_keys_makes_further_ones() -> None:
    check_manages(frozenset({"keys:write"}))
    with pytest.raises(ScopeNeeded, match="needs the scope keys:write"):
        check_manages(OWN)


@pytest.mark.parametrize(
    ("end", "other", "expected"),
    [
        (LATER, SOON, True),
        (None, SOON, True),
        (SOON, SOON, False),
        (SOON, LATER, False),
        (SOON, None, False),
        (None, None, False),
    ],
)
def test_no_end_is_the_latest_of_all(end: datetime | None, other: datetime | None, expected: bool) -> None:
    assert ends_later(end, other) is expected
