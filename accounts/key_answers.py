"""What is shown of keys and of the caller: structs, and how rows become them. The digest is in none."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import msgspec

from accounts import keys
from accounts.actions import IssuedKey
from accounts.models import ApiKey
from accounts.networks import MOST_NETWORKS
from accounts.roles import ROLE_SCOPES, SCOPES
from accounts.self_service import KeyPage
from events.kinds import Count, Moment, NotNegative, one_of

_CLEAN = r"^[^\x00]*$"


PublicId = Annotated[str, msgspec.Meta(min_length=22, max_length=22, pattern="^[0-9A-Za-z]{22}$")]
_Secret = Annotated[
    str,
    msgspec.Meta(min_length=70, max_length=70, pattern="^pgw_(live|test)_[0-9A-Za-z]{22}_[0-9A-Za-z]{38}$"),
]
_Name = Annotated[str, msgspec.Meta(max_length=100, pattern=_CLEAN)]
_UserName = Annotated[str, msgspec.Meta(max_length=150, pattern=_CLEAN)]
_Address = Annotated[str, msgspec.Meta(max_length=45, pattern=r"^[0-9A-Za-z:.]*$")]
_Agent = Annotated[str, msgspec.Meta(max_length=200, pattern=_CLEAN)]
_Network = Annotated[str, msgspec.Meta(max_length=50, extra_json_schema={"format": "ip-network"})]
_Slug = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[-\w]*$")]
_Scopes = Annotated[list[Annotated[str, one_of(*sorted(SCOPES))]], msgspec.Meta(max_length=len(SCOPES))]
_Whole = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class KeyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A key. `id` is its public id, which is no secret; `expires_at` null: it does not end by itself."""

    id: PublicId
    name: _Name
    state: Annotated[str, one_of("active", "expiring", "expired", "revoked")]
    environment: Annotated[str, one_of("live", "test")]
    tier: _Slug
    scopes: _Scopes
    networks: Annotated[list[_Network], msgspec.Meta(max_length=MOST_NETWORKS)]
    created_at: Moment
    created_by: _UserName | None
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Moment | None
    last_used_address: _Address | None
    last_used_agent: _Agent | None
    rotated_from: PublicId | None
    rotated_to: PublicId | None


class NewKeyAnswer(KeyAnswer, frozen=True, kw_only=True):
    """A key with its secret, shown this once."""

    key: _Secret


class RotatedKeyAnswer(NewKeyAnswer, frozen=True, kw_only=True):
    """The new key, and when the old one ends."""

    old_key_ends_at: Moment


class KeyPageAnswer(msgspec.Struct, frozen=True):
    """A page of keys; `next` goes into `cursor` to get the page after it."""

    data: Annotated[list[KeyAnswer], msgspec.Meta(max_length=100)]
    has_more: bool
    next: PublicId | None


class AccountAnswer(msgspec.Struct, frozen=True):
    """The account that is charged for the caller's calls."""

    name: _Name
    created_at: Moment


class CallerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls: a person with a role, or a key."""

    kind: Annotated[str, one_of("key", "user")]
    user: _UserName | None = None
    role: Annotated[str, one_of(*ROLE_SCOPES)] | None = None
    key: PublicId | None = None
    expires_at: Moment | None = None


class LimitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A limit. `route` null: every route; `burst` null: a fixed window; `remaining` null: not known here."""

    name: _Slug
    scope: Annotated[str, one_of("account", "key", "ip", "route", "global")]
    route: _Slug | None
    quota: _Whole
    window_s: _Whole
    burst: _Whole | None
    remaining: _Whole | None
    reset_s: _Whole | None


class SocketsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What WebSockets may; `most_connections` (of the account, open at once) null: no limit."""

    most_connections: _Whole | None
    frames_per_s: _Whole


class UsageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of a day (UTC) on a route."""

    day: date
    route: _Slug
    calls: Count
    errors: Count
    throttled: Count
    latency_avg_ms: NotNegative
    latency_max_ms: NotNegative
    bytes_out: Count


class ProfileAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The caller, their limits, and the usage of their account in the last `days` days."""

    account: AccountAnswer
    caller: CallerAnswer
    tier: _Slug
    scopes: _Scopes
    limits: Annotated[list[LimitAnswer], msgspec.Meta(max_length=1000)]
    sockets: SocketsAnswer
    days: Annotated[int, msgspec.Meta(ge=1, le=90)]
    usage: Annotated[list[UsageAnswer], msgspec.Meta(max_length=100_000)]


def describe(key: ApiKey, now: datetime) -> KeyAnswer:
    """What is shown of `key` at `now`."""
    return KeyAnswer(
        id=key.public_id,
        name=key.name,
        state=key.state(now),
        environment=key.environment,
        tier=key.tier.name,
        scopes=sorted(key.scopes),
        networks=list(key.networks),
        created_at=key.created_at,
        created_by=key.created_by.username if key.created_by else None,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
        last_used_address=key.last_used_address or None,
        last_used_agent=key.last_used_agent or None,
        rotated_from=keys.public_id(key.replaces_id) if key.replaces_id else None,
        rotated_to=key.replaced_by.public_id if hasattr(key, "replaced_by") else None,
    )


def describe_new(issued: IssuedKey, now: datetime) -> NewKeyAnswer:
    """What is shown of a new key, with its secret."""
    return NewKeyAnswer(**msgspec.structs.asdict(describe(issued.key, now)), key=issued.secret)


def describe_rotated(issued: IssuedKey, now: datetime) -> RotatedKeyAnswer:
    """What is shown of the key that replaces another."""
    old = issued.key.replaces
    if old is None or old.expires_at is None:
        raise ValueError("the key was not rotated")
    return RotatedKeyAnswer(
        **msgspec.structs.asdict(describe_new(issued, now)), old_key_ends_at=old.expires_at
    )


def describe_page(page: KeyPage, now: datetime) -> KeyPageAnswer:
    """What is shown of a page of keys."""
    data = [describe(key, now) for key in page.keys]
    return KeyPageAnswer(data, page.has_more, data[-1].id if page.has_more else None)
