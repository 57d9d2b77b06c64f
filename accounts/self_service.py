"""Keys in the hands of their callers: which ones a caller sees, and each write with the rules in front.

A write holds the key's row first, so that the rules judge what is really changed; `accounts.actions` does
the change and leaves the audit event.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts import actions, keys
from accounts.actions import IssuedKey
from accounts.callers import Caller
from accounts.key_rules import MANAGE, Terms, check_change, check_grant, check_manages, ends_later
from accounts.models import Account, ApiKey, User, default_scopes
from accounts.models.records import NO_ACCOUNT

_SHOWN = ("account", "tier", "created_by", "replaced_by")


class UnknownKey(Exception):
    """There is no such key among those that the caller may see."""


class UnknownCursor(Exception):
    """The cursor names no key that the caller may see."""


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Keys, newest first; `has_more` if there are older ones."""

    keys: list[ApiKey]
    has_more: bool


def visible_to(caller: Caller) -> QuerySet[ApiKey]:
    """The keys that `caller` may see and change, with what is shown of them.

    With the scope `keys:write` all of the account; else a person those that they made, and a key itself.
    """
    of_account = ApiKey.objects.select_related(*_SHOWN).filter(account_id=caller.account_id or NO_ACCOUNT)
    if MANAGE in caller.scopes:
        return of_account
    if caller.key_id is not None:
        return of_account.filter(pk=caller.key_id)
    return of_account.filter(created_by_id=caller.user_id).exclude(created_by=None)


def find_key(caller: Caller, public_id: str) -> ApiKey:
    """The key `public_id`; raises `UnknownKey`."""
    return _find(visible_to(caller), public_id)


def list_keys(caller: Caller, *, after: str | None, limit: int) -> KeyPage:
    """Up to `limit` keys, newest first, those older than the key `after`. Raises `UnknownCursor`."""
    found = visible_to(caller).order_by("-created_at", "-pk")
    if after is not None:
        try:
            last = find_key(caller, after)
        except UnknownKey:
            raise UnknownCursor from None
        found = found.filter(
            Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, pk__lt=last.pk)
        )
    page = list(found[: limit + 1])
    return KeyPage(page[:limit], len(page) > limit)


@transaction.atomic
def register_key(*, caller: Caller, now: datetime, **properties: Any) -> IssuedKey:
    """Create a key of the caller's account, on the account's tier, with `properties` as in `issue_key`.

    Raises `ScopeNeeded`, `TooManyKeys`, `NoTierForKeys`.
    """
    if caller.key_id is not None:
        check_manages(caller.scopes)
    properties["scopes"] = _scopes_for(caller.scopes, properties)
    account = Account.objects.select_related("tier").get(pk=caller.account_id or NO_ACCOUNT)
    maker = User.objects.filter(pk=caller.user_id).first() if caller.user_id is not None else None
    return actions.issue_key(
        account=account, tier=account.tier, actor=caller.name, now=now, created_by=maker, **properties
    )


def register_stranger(*, caller: Caller, now: datetime, **properties: Any) -> IssuedKey:
    """Open an account for a `caller` whom nobody knows, with its first key. Raises `ScopeNeeded`."""
    properties["scopes"] = _scopes_for(frozenset(default_scopes()), properties)
    # Told apart at random: a counted name would have to try all of those that are taken.
    account_name = f"guest-{secrets.token_hex(6)}"
    return actions.open_account(account_name=account_name, actor=caller.name, now=now, **properties)


@transaction.atomic
def change_key(*, caller: Caller, public_id: str, now: datetime, changes: dict[str, Any]) -> ApiKey:
    """Set `changes` (name, scopes, networks, expires_at) on a key; returns it as it is then.

    Raises `UnknownKey`, `KeyNotUsable`, `KeyAlreadyRotated` (for more time than the overlap), `ScopeNeeded`.
    """
    key = _hold(caller, public_id)
    if not key.is_usable(now):
        raise actions.KeyNotUsable
    before = _terms({"scopes": key.scopes, "networks": key.networks, "expires_at": key.expires_at})
    after = _terms({"scopes": key.scopes, "networks": key.networks, "expires_at": key.expires_at, **changes})
    check_change(before, after, own=caller.scopes, is_key=caller.key_id is not None)
    if ends_later(after.expires_at, before.expires_at) and ApiKey.objects.filter(replaces=key).exists():
        raise actions.KeyAlreadyRotated
    actions.change_key(key=key, actor=caller.name, **changes)
    return key


@transaction.atomic
def rotate_key(*, caller: Caller, public_id: str, overlap: timedelta, now: datetime) -> IssuedKey:
    """Put a new key in the place of `public_id`, which lives on for `overlap`.

    Raises `UnknownKey`, `KeyNotUsable`, `KeyAlreadyRotated`, `TooManyKeys`, `ScopeNeeded`.
    """
    key = _hold(caller, public_id)
    if key.pk != caller.key_id:
        check_grant(key.scopes, caller.scopes)
    return actions.rotate_key(key=key, overlap=overlap, actor=caller.name, now=now)


@transaction.atomic
def revoke_key(*, caller: Caller, public_id: str, now: datetime) -> None:
    """End a key for good; one that has ended stays so. Raises `UnknownKey`."""
    actions.revoke_key(key=_hold(caller, public_id), actor=caller.name, now=now)


def _hold(caller: Caller, public_id: str) -> ApiKey:
    return _find(visible_to(caller).select_for_update(of=("self",)), public_id)


def _find(among: QuerySet[ApiKey], public_id: str) -> ApiKey:
    # What is no id is looked for as well: the answer takes as long as that for somebody else's.
    key = among.filter(pk=keys.key_id_of(public_id) or uuid.UUID(int=0)).first()
    if key is None:
        raise UnknownKey
    return key


def _scopes_for(own: frozenset[str], properties: dict[str, Any]) -> list[str]:
    scopes = properties.get("scopes")
    if scopes is None:
        return sorted(own.intersection(default_scopes()))
    check_grant(scopes, own)
    return sorted(scopes)


def _terms(values: dict[str, Any]) -> Terms:
    return Terms(frozenset(values["scopes"]), tuple(values["networks"]), values["expires_at"])
