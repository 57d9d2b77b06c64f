"""What is shown of keys and of the caller: structs, and how rows become them. The digest is in none."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from accounts import keys
from accounts.actions import IssuedKey
from accounts.models import ApiKey
from accounts.self_service import KeyPage


class KeyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A key. `id` is its public id, which is no secret; `expires_at` null: it does not end by itself."""

    id: str
    name: str
    state: str
    environment: str
    tier: str
    scopes: list[str]
    networks: list[str]
    created_at: datetime
    created_by: str | None
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    last_used_address: str | None
    last_used_agent: str | None
    rotated_from: str | None
    rotated_to: str | None


class NewKeyAnswer(KeyAnswer, frozen=True, kw_only=True):
    """A key with its secret, shown this once."""

    key: str


class RotatedKeyAnswer(NewKeyAnswer, frozen=True, kw_only=True):
    """The new key, and when the old one ends."""

    old_key_ends_at: datetime


class KeyPageAnswer(msgspec.Struct, frozen=True):
    """A page of keys; `next` goes into `cursor` to get the page after it."""

    data: list[KeyAnswer]
    has_more: bool
    next: str | None


class AccountAnswer(msgspec.Struct, frozen=True):
    """The account that is charged for the caller's calls."""

    name: str
    created_at: datetime


class CallerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls: a person with a role, or a key."""

    kind: str
    user: str | None = None
    role: str | None = None
    key: str | None = None
    expires_at: datetime | None = None


class LimitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A limit. `route` null: every route; `burst` null: a fixed window; `remaining` null: not known here."""

    name: str
    scope: str
    route: str | None
    quota: int
    window_s: int
    burst: int | None
    remaining: int | None
    reset_s: int | None


class SocketsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What WebSockets may; `most_connections` (of the account, open at once) null: no limit."""

    most_connections: int | None
    frames_per_s: int


class UsageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of a day (UTC) on a route."""

    day: date
    route: str
    calls: int
    errors: int
    throttled: int
    latency_avg_ms: float
    latency_max_ms: float
    bytes_out: int


class ProfileAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The caller, their limits, and the usage of their account in the last `days` days."""

    account: AccountAnswer
    caller: CallerAnswer
    tier: str
    scopes: list[str]
    limits: list[LimitAnswer]
    sockets: SocketsAnswer
    days: int
    usage: list[UsageAnswer]


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
