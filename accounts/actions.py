"""Writes on keys and accounts: each a verb, keyword-only, in one transaction, leaving its audit event."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from accounts import audit, keys
from accounts.callers import ANONYMOUS_TIER
from accounts.models import Account, ApiKey, Tier, User, default_scopes

OVERLAPS = {
    "0": timedelta(0),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}
"""How long a key lives on after its rotation."""

MOST_KEYS = 100
"""Usable keys an account may have; keys that live on after their rotation may double it."""

TIER_OF_NEW_ACCOUNTS = "free"


class NoTierForKeys(Exception):
    """The tier is that of callers without a key."""


class TooManyKeys(Exception):
    """The account has `MOST_KEYS` usable keys, or twice as many in the middle of rotations."""


class KeyNotUsable(Exception):
    """The key is revoked or expired."""


class KeyAlreadyRotated(Exception):
    """The key was rotated before; its successor is the one to rotate."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key and its secret text, which exists nowhere else and is shown once."""

    key: ApiKey
    secret: str


@transaction.atomic
def issue_key(  # noqa: PLR0913 - keyword-only, and each is a property of the key
    *,
    account: Account,
    tier: Tier,
    actor: str,
    now: datetime,
    name: str = "",
    environment: keys.Environment = "live",
    scopes: Sequence[str] | None = None,
    networks: Sequence[str] = (),
    expires_at: datetime | None = None,
    created_by: User | None = None,
) -> IssuedKey:
    """Create a key of `account` on `tier`. Raises `NoTierForKeys`, `TooManyKeys`."""
    if tier.name == ANONYMOUS_TIER:
        raise NoTierForKeys
    # Holding the account's row makes parallel calls count one after the other.
    Account.objects.select_for_update().get(pk=account.pk)
    if _usable_keys(account, now).count() >= MOST_KEYS:
        raise TooManyKeys
    issued = _create_key(
        account=account,
        tier=tier,
        name=name,
        environment=environment,
        scopes=default_scopes() if scopes is None else sorted(scopes),
        networks=list(networks),
        expires_at=expires_at,
        created_by=created_by,
    )
    _note("key.create", issued.key, actor, **_values(issued.key))
    return issued


@transaction.atomic
def issue_key_by_names(
    *,
    account_name: str,
    tier_name: str,
    actor: str,
    now: datetime,
    key_name: str = "",
    scopes: Sequence[str] | None = None,
) -> IssuedKey:
    """Create a key on `tier_name`, and the account, on the same tier, where it is new.

    Raises `Tier.DoesNotExist`, `NoTierForKeys`, `TooManyKeys`.
    """
    tier = Tier.objects.get(name=tier_name)
    if tier.name == ANONYMOUS_TIER:
        raise NoTierForKeys
    account, is_new = Account.objects.get_or_create(name=account_name, defaults={"tier": tier})
    if is_new:
        _note_account(account, actor)
    return issue_key(account=account, tier=tier, actor=actor, now=now, name=key_name, scopes=scopes)


@transaction.atomic
def open_account(*, account_name: str, actor: str, now: datetime, **properties: Any) -> IssuedKey:
    """A new account on `TIER_OF_NEW_ACCOUNTS` and its first key, with `properties` as in `issue_key`."""
    tier = Tier.objects.get(name=TIER_OF_NEW_ACCOUNTS)
    account = create_account(name=account_name, tier=tier, actor=actor)
    return issue_key(account=account, tier=tier, actor=actor, now=now, **properties)


@transaction.atomic
def rotate_key(*, key: ApiKey, overlap: timedelta, actor: str, now: datetime) -> IssuedKey:
    """Put a new key in the place of `key`, which lives on for `overlap`: same account, tier, scopes, quota.

    Raises `KeyNotUsable`, `KeyAlreadyRotated`, `TooManyKeys`.
    """
    old = ApiKey.objects.select_for_update(of=("self",)).select_related("account", "tier").get(pk=key.pk)
    if not old.is_usable(now):
        raise KeyNotUsable
    if ApiKey.objects.filter(replaces=old).exists():
        raise KeyAlreadyRotated
    # Rotating each successor at once would otherwise leave any number of old ones alive.
    if _usable_keys(old.account, now).count() >= 2 * MOST_KEYS:
        raise TooManyKeys
    issued = _create_key(
        account=old.account,
        tier=old.tier,
        name=old.name,
        environment=old.environment,
        scopes=old.scopes,
        networks=old.networks,
        expires_at=old.expires_at,
        created_by=old.created_by,
        lineage=old.lineage,
        replaces=old,
    )
    end = now + overlap
    old.expires_at = end if old.expires_at is None else min(end, old.expires_at)
    old.save(update_fields=["expires_at"])
    _note("key.rotate", old, actor, successor=issued.key.public_id, overlap_s=int(overlap.total_seconds()))
    return issued


@transaction.atomic
def revoke_key(*, key: ApiKey, actor: str, now: datetime) -> bool:
    """End `key` for good; False if it had been revoked before."""
    if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
        return False
    key.revoked_at = now
    _note("key.revoke", key, actor)
    return True


@transaction.atomic
def change_key(*, key: ApiKey, actor: str, **changes: Any) -> None:
    """Set `changes` (name, tier, scopes, networks, expires_at) on `key`; what stays the same is not noted."""
    before = _values(key)
    for field, value in changes.items():
        setattr(key, field, value)
    key.save(update_fields=list(changes))
    after = _values(key)
    changed = {
        field: {"from": before[field], "to": after[field]} for field in after if before[field] != after[field]
    }
    if changed:
        _note("key.change", key, actor, **changed)


@transaction.atomic
def create_account(*, name: str, tier: Tier, actor: str) -> Account:
    """A new account named `name`, or `name-2` and so on where that is taken: never somebody else's."""
    for candidate in _names_like(name):
        account, is_new = Account.objects.get_or_create(name=candidate, defaults={"tier": tier})
        if is_new:
            _note_account(account, actor)
            return account
    raise AssertionError("there is always a name left")


def _names_like(name: str) -> Iterable[str]:
    yield name[:100]
    number = 2
    while True:
        yield f"{name[:90]}-{number}"
        number += 1


def _usable_keys(account: Account, now: datetime) -> Any:
    return ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), account=account, revoked_at=None)


def _create_key(**values: Any) -> IssuedKey:
    key_id = uuid.uuid4()
    secret = keys.make_key(key_id, values["environment"])
    values.setdefault("lineage", key_id)
    key = ApiKey.objects.create(id=key_id, digest=keys.digest_key(secret), **values)
    return IssuedKey(key, secret)


def _values(key: ApiKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "tier": key.tier.name,
        "scopes": list(key.scopes),
        "networks": list(key.networks),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
    }


def _note_account(account: Account, actor: str) -> None:
    audit.record(
        actor=actor,
        action="account.create",
        kind="account",
        subject_id=account.pk,
        subject=account.name,
        tier=account.tier.name,
    )


def _note(action: str, key: ApiKey, actor: str, **detail: Any) -> None:
    audit.record(
        actor=actor,
        action=action,
        kind="key",
        subject_id=key.public_id,
        subject=f"{key.name or 'key'} of {key.account.name}",
        **detail,
    )
