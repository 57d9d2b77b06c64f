"""A key as the door knows it, and how it is read from the database."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from accounts import keys
from accounts.callers import Caller
from accounts.models import Account, ApiKey, Tier
from observability.driver_times import as_moment

# Written by hand: the ORM takes 2 ms to write it and to make objects of what it finds.
_KEY = f"""
SELECT k.digest, k.account_id, k.tier_id, t.name, k.scopes, k.networks, k.lineage, k.expires_at, k.revoked_at,
    a.is_active, EXISTS (SELECT 1 FROM {ApiKey._meta.db_table} AS newer WHERE newer.replaces_id = k.id)
FROM {ApiKey._meta.db_table} AS k
JOIN {Account._meta.db_table} AS a ON a.id = k.account_id
JOIN {Tier._meta.db_table} AS t ON t.id = k.tier_id
WHERE k.id = %s
"""  # noqa: S608 - names of our own tables
_KEY_SHOWN = f"{_KEY} AND k.digest = %s"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as the door knows it."""

    id: uuid.UUID
    digest: str
    account_id: int
    tier_id: int
    tier: str
    scopes: frozenset[str]
    networks: tuple[str, ...]
    lineage: str
    expires_at: datetime | None
    revoked_at: datetime | None
    is_account_active: bool
    is_replaced: bool
    # Whoever shows the key, once it is let in.
    caller: Caller = field(init=False, compare=False)

    def __post_init__(self) -> None:
        caller = Caller(
            tier=self.tier,
            scopes=self.scopes,
            account_id=self.account_id,
            key_id=self.id,
            lineage=self.lineage,
            name=f"key {keys.public_id(self.id)}",
            expires_at=self.expires_at,
            replaced_until=self.expires_at if self.is_replaced else None,
        )
        object.__setattr__(self, "caller", caller)


def read(key_id: uuid.UUID, digest: str | None = None) -> KeyRecord | None:
    """The record of `key_id`, by one query; None if there is no such key. Raises Django's database errors.

    With `digest`, of a key that somebody shows, another one is no such key: that the id exists costs nothing
    that could be told by the time it takes.
    """
    values: list[Any] = [ApiKey._meta.pk.get_db_prep_value(key_id, connection)]
    with connection.cursor() as cursor:
        if digest is None:
            cursor.execute(_KEY, values)
        else:
            cursor.execute(_KEY_SHOWN, [*values, digest])
        row = cursor.fetchone()
    return None if row is None else _record_of(key_id, row)


def _record_of(key_id: uuid.UUID, row: Sequence[Any]) -> KeyRecord:
    """The record in a row of `_KEY` as the driver gives it, which has text for JSON."""
    digest, account_id, tier_id, tier, scopes, networks, lineage, expires, revoked, is_active, is_replaced = (
        row
    )
    return KeyRecord(
        id=key_id,
        digest=digest,
        account_id=account_id,
        tier_id=tier_id,
        tier=tier,
        scopes=frozenset(json.loads(scopes)),
        networks=tuple(json.loads(networks)),
        lineage=lineage.hex if isinstance(lineage, uuid.UUID) else lineage,
        expires_at=expires and as_moment(expires),
        revoked_at=revoked and as_moment(revoked),
        is_account_active=bool(is_active),
        is_replaced=bool(is_replaced),
    )
