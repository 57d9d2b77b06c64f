"""Writes that cross rows: each a verb, keyword-only, in one transaction."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db import transaction

from accounts import keys
from accounts.models import Account, ApiKey, Tier


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key and its secret text, which exists nowhere else and is shown once."""

    key: ApiKey
    secret: str


@transaction.atomic
def issue_key(
    *,
    account_name: str,
    tier_name: str,
    key_name: str = "",
    environment: keys.Environment = "live",
) -> IssuedKey:
    """Create a key on `tier_name` for the account, and the account where it is new.

    Raises `Tier.DoesNotExist` for an unknown tier.
    """
    tier = Tier.objects.get(name=tier_name)
    account, _ = Account.objects.get_or_create(name=account_name)
    key_id = uuid.uuid4()
    secret = keys.make_key(key_id, environment)
    key = ApiKey.objects.create(
        id=key_id,
        account=account,
        tier=tier,
        name=key_name,
        environment=environment,
        digest=keys.digest_key(secret),
    )
    return IssuedKey(key, secret)
