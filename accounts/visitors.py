"""The key that the dashboard shows to everybody who opens it: what it may do, and how one is made.

It is no secret, so what it can do must be harmless in anybody's hands: it reads, streams and orders
explanations, and may neither see nor change itself (`Need.personal`). Its account has nothing else, and its
tier limits each address by itself, calls and sockets.
"""

from __future__ import annotations

import hmac
from datetime import datetime

from django.db import transaction

from accounts import audit, directory, keys
from accounts.actions import IssuedKey, issue_key_by_names
from accounts.callers import SHARED_TIER, Caller
from accounts.models import Limit, Tier
from accounts.networks import block_of

NAME = SHARED_TIER
"""Of the account and of the tier."""

SOCKETS = 20
"""WebSockets that one address may have open with such a key."""

SCOPES = frozenset({"predictions:read", "explanations:read", "explanations:write", "stream"})
"""The most that a key may do which everybody can see."""

# (route, name, quota, window_s, burst), each for an address by itself. A page that is opened reads the
# history of each symbol that it shows.
_LIMITS = [
    ("", "visitor", 20, 1, 300),
    ("explanation", "orders", 30, 60, 30),
]


def why_not_shown(key: str) -> str | None:
    """Why `key` is not to be shown to everybody; None where it may be. At most one query.

    Whether it is expired or revoked does not matter: such a key opens nothing, and its holder is told.
    """
    parsed = keys.parse_key(key)
    known = directory.current()
    record = known.remembered_key(parsed.id) or known.load_key(parsed.id)
    if record is None or not hmac.compare_digest(record.digest, parsed.digest):
        return "it is not known here"
    if record.tier != NAME:
        return f"it is not on the tier {NAME}, whose limits are those of an address"
    more = sorted(record.scopes - SCOPES)
    return f"it has scopes that not everybody may have: {', '.join(more)}" if more else None


def holder_of_sockets(caller: Caller, address: str, most: int | None) -> tuple[str, int | None]:
    """Who is charged for a socket of a known `caller`, and how many they may have open; None: no limit.

    That is the account, but for a key that many share: there each address by itself.
    """
    if not caller.is_shared:
        return f"{caller.account_id}", most
    return f"{caller.account_id}:{block_of(address)}", SOCKETS if most is None else min(most, SOCKETS)


@transaction.atomic
def issue_visitors_key(*, actor: str, now: datetime) -> IssuedKey:
    """A key for the dashboard; account and tier, with its limits, are made where they are not there yet.

    Raises `TooManyKeys`.
    """
    tier, is_new = Tier.objects.get_or_create(
        name=NAME, defaults={"description": "Whoever opens the dashboard, by address"}
    )
    if is_new:
        made = [
            Limit.objects.create(
                tier=tier, route=route, name=name, scope="ip", quota=quota, window_s=window_s, burst=burst
            )
            for route, name, quota, window_s, burst in _LIMITS
        ]
        audit.record(
            actor=actor,
            action="tier.create",
            kind="tier",
            subject_id=tier.pk,
            subject=tier.name,
            limits=[limit.values() for limit in made],
        )
    return issue_key_by_names(
        account_name=NAME, tier_name=NAME, actor=actor, now=now, key_name=NAME, scopes=sorted(SCOPES)
    )
