"""What a caller may do to a key: nobody gives away, or comes into, more than they have. Pure.

1. The scopes of a key that is made, rotated or changed must be among the caller's: whoever rotates a key
   reads its secret. A new name, and the end of a key, need no scope.
2. A key without `keys:write` may only narrow itself: else a key that leaked from its network, or was to end
   soon, could free itself.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.networks import parse_networks

MANAGE = "keys:write"


class ScopeNeeded(Exception):
    """The caller lacks a scope for this; the message says which."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a key may do, from where, and until when (None: for good)."""

    scopes: frozenset[str]
    networks: tuple[str, ...]
    expires_at: datetime | None

    def is_narrower_than(self, other: Terms) -> bool:
        """True if nothing is possible with it that is not possible with `other`."""
        return (
            self.scopes <= other.scopes
            and not ends_later(self.expires_at, other.expires_at)
            and _are_within(self.networks, other.networks)
        )


def check_manages(own: frozenset[str]) -> None:
    """Raise `ScopeNeeded` unless a key with the scopes `own` may make further keys."""
    if MANAGE not in own:
        raise ScopeNeeded(f"A key needs the scope {MANAGE} to register further keys.")


def check_grant(scopes: Iterable[str], own: frozenset[str]) -> None:
    """Raise `ScopeNeeded` unless all `scopes` of a key are among the caller's `own`."""
    missing = sorted(set(scopes) - own)
    if missing:
        raise ScopeNeeded(f"The key has or would get scopes that you do not have: {', '.join(missing)}.")


def check_change(before: Terms, after: Terms, *, own: frozenset[str], is_key: bool) -> None:
    """Raise `ScopeNeeded` unless a caller with the scopes `own` may turn `before` into `after`."""
    if before == after:
        return
    check_grant(after.scopes, own)
    if is_key and MANAGE not in own and not after.is_narrower_than(before):
        raise ScopeNeeded(f"Without the scope {MANAGE} a key can only narrow what it may do itself.")


def ends_later(end: datetime | None, other: datetime | None) -> bool:
    """True if a key that ends at `end` lives longer than one that ends at `other`."""
    return other is not None and (end is None or end > other)


def _are_within(inner: Sequence[str], outer: Sequence[str]) -> bool:
    if not outer:
        return True
    around = parse_networks(tuple(outer))
    return bool(inner) and all(
        any(_is_within(network, wide) for wide in around) for network in parse_networks(tuple(inner))
    )


def _is_within(inner: Any, outer: Any) -> bool:
    if isinstance(inner, ipaddress.IPv4Network) != isinstance(outer, ipaddress.IPv4Network):
        return False
    found: bool = inner.subnet_of(outer)
    return found
