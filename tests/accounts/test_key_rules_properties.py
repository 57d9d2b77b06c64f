"""Whatever the terms of keys are: narrower is an order, and what it allows nobody gains by."""

from __future__ import annotations

import contextlib
import ipaddress
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from accounts.key_rules import MANAGE, ScopeNeeded, Terms, check_change, check_grant
from accounts.networks import allows
from tests.examples import examples

SCOPES = st.frozensets(st.sampled_from(["predictions:read", "stream", "explanations:write", MANAGE]))
# Few, and nested: of two at random one is within the other often enough.
NETWORKS = st.lists(
    st.sampled_from(
        ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "2001:db8::/32", "2001:db8:1::/48", "::/0"]
    ),
    max_size=3,
    unique=True,
).map(tuple)
ENDS = st.none() | st.sampled_from([datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3)])
TERMS = st.builds(Terms, scopes=SCOPES, networks=NETWORKS, expires_at=ENDS)
ADDRESSES = ["10.0.0.1", "10.1.0.1", "10.1.2.3", "192.0.2.1", "2001:db8::1", "2001:db8:1::1", "2001:4860::1"]
MOMENTS = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 5)]


def uses(terms: Terms) -> set[tuple[str, str, datetime]]:
    """What can be done with a key of `terms`: with which scope, from where, and when."""
    return {
        (scope, address, moment)
        for scope in terms.scopes
        for address in ADDRESSES
        if allows(terms.networks, address)
        for moment in MOMENTS
        if terms.expires_at is None or moment < terms.expires_at
    }


def is_allowed(before: Terms, after: Terms, own: frozenset[str], *, is_key: bool) -> bool:
    """Whether the change may be made."""
    with contextlib.suppress(ScopeNeeded):
        check_change(before, after, own=own, is_key=is_key)
        return True
    return False


@examples(50)
@given(TERMS, TERMS)
def test_with_narrower_terms_nothing_more_is_possible_than_with_the_wider(inner: Terms, outer: Terms) -> None:
    if inner.is_narrower_than(outer):
        assert uses(inner) <= uses(outer)


@examples(50)
@given(TERMS, TERMS, TERMS)
def test_narrower_is_an_order(one: Terms, other: Terms, third: Terms) -> None:
    assert one.is_narrower_than(one)
    if one.is_narrower_than(other) and other.is_narrower_than(third):
        assert one.is_narrower_than(third)
    if one.is_narrower_than(other) and other.is_narrower_than(one):
        assert uses(one) == uses(other)


@examples(50)
@given(SCOPES, SCOPES)
def test_a_grant_is_refused_exactly_where_a_scope_is_missing_which_is_named(
    scopes: frozenset[str], own: frozenset[str]
) -> None:
    told = ""
    try:
        check_grant(scopes, own)
    except ScopeNeeded as refused:
        told = str(refused)
    assert {scope for scope in scopes | own if scope in told} == scopes - own


@examples(50)
@given(TERMS, TERMS, st.booleans())
def test_nobody_changes_a_key_into_one_with_more_scopes_than_they_have(
    before: Terms, after: Terms, is_key: bool
) -> None:
    own = before.scopes
    if before != after and is_allowed(before, after, own, is_key=is_key):
        assert after.scopes <= own


@examples(50)
@given(TERMS, st.lists(TERMS, max_size=5))
def test_a_key_that_may_not_manage_keys_never_widens_itself_however_many_steps_it_takes(
    first: Terms, steps: list[Terms]
) -> None:
    first = Terms(first.scopes - {MANAGE}, first.networks, first.expires_at)
    present = first
    for step in steps:
        if is_allowed(present, step, present.scopes, is_key=True):
            present = step
    assert uses(present) <= uses(first)


@examples(50)
@given(st.lists(st.ip_addresses(v=4), max_size=4), st.ip_addresses(v=4))
def test_a_single_address_is_within_the_networks_that_allow_it(
    wide: list[ipaddress.IPv4Address], address: ipaddress.IPv4Address
) -> None:
    outer = Terms(frozenset(), tuple(f"{one}/32" for one in wide), None)
    inner = Terms(frozenset(), (f"{address}/32",), None)
    assert inner.is_narrower_than(outer) == allows(outer.networks, str(address))
