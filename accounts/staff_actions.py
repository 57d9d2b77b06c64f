"""Writes that only staff make, on what belongs to others: verbs like those of `accounts.actions`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from accounts import audit
from accounts.actions import revoke_key
from accounts.models import ApiKey, TokenFamily


@transaction.atomic
def end_logins(*, families: Iterable[TokenFamily], actor: str, now: datetime) -> int:
    """End those of `families` that stand; returns how many. Each leaves its event."""
    ended = 0
    # In one order, so that two calls at once do not wait for each other in a circle.
    for family in sorted(families, key=lambda family: family.pk):
        standing = TokenFamily.objects.filter(pk=family.pk, revoked_at=None, expires_at__gt=now)
        if standing.update(revoked_at=now, revoked_because="staff"):
            ended += 1
            audit.record(
                actor=actor,
                action="session.logout",
                kind="session",
                subject_id=family.pk,
                subject=f"login of {family.user.username}",
                because="staff",
            )
    return ended


@transaction.atomic
def revoke_keys(*, keys: Iterable[ApiKey], actor: str, now: datetime) -> int:
    """Revoke those of `keys` that are not; returns how many. All of them or none."""
    in_one_order = sorted(keys, key=lambda key: key.pk)
    return sum(revoke_key(key=key, actor=actor, now=now) for key in in_one_order)
