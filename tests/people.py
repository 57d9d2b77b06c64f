"""Accounts, tiers, keys and people of a running stack, written to its database behind the gateway's back."""

from __future__ import annotations

import functools
import itertools
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from django.contrib.auth.hashers import make_password

from accounts import keys
from accounts.models import default_scopes

if TYPE_CHECKING:
    from tests.stack import Stack

PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)
_hash = functools.cache(make_password)


@dataclass(frozen=True)
class Key:
    """A key in the database: `secret` is what a caller shows."""

    id: uuid.UUID
    account_id: int
    secret: str

    @property
    def header(self) -> dict[str, str]:
        """What a request sends."""
        return {"X-API-Key": self.secret}

    @property
    def public_id(self) -> str:
        """What of it is shown and logged."""
        return keys.public_id(self.id)


def add_tier(stack: Stack, *limits: tuple[str, str, int, int, int | None], redis_down: str = "local") -> str:
    """A new tier with `limits` of name, scope, quota, window, burst; in one step: nobody sees half of it."""
    name = f"tier-{next(_numbers)}"
    rows = ", ".join(["(%s, %s, %s::int, %s::int, %s::int)"] * len(limits)) or "(NULL, NULL, 0, 0, 0)"
    stack.execute(
        "WITH made AS (INSERT INTO accounts_tier (name, description, when_redis_is_down)"  # noqa: S608 - placeholders
        " VALUES (%s, '', %s) RETURNING id) "
        "INSERT INTO accounts_limit (tier_id, route, name, scope, quota, window_s, burst) "
        f"SELECT made.id, '', v.* FROM made, (VALUES {rows}) AS v(name, scope, quota, window_s, burst) "
        "WHERE v.name IS NOT NULL",
        name,
        redis_down,
        *[value for limit in limits for value in limit],
    )
    return name


def add_account(stack: Stack, tier: str) -> int:
    """A new account on `tier`."""
    name = f"account-{next(_numbers)}-{uuid.uuid4().hex[:6]}"
    stack.execute(
        "INSERT INTO accounts_account (name, tier_id, is_active, created_at) "
        "SELECT %s, id, true, now() FROM accounts_tier WHERE name = %s",
        name,
        tier,
    )
    return int(stack.rows("SELECT id FROM accounts_account WHERE name = %s", name)[0][0])


def add_key(stack: Stack, tier: str, *, account: int | None = None, **changes: Any) -> Key:
    """A key on `tier`, of a new account unless one is given; `changes` are columns of ``api_keys``."""
    account = add_account(stack, tier) if account is None else account
    key_id = uuid.uuid4()
    secret = keys.make_key(key_id, "live")
    values = {
        "id": key_id,
        "account_id": account,
        "tier_id": stack.rows("SELECT id FROM accounts_tier WHERE name = %s", tier)[0][0],
        "name": "test",
        "environment": "live",
        "digest": keys.digest_key(secret),
        "scopes": json.dumps(default_scopes()),
        "networks": "[]",
        "lineage": key_id,
        "created_at": "now()",
        "last_used_address": "",
        "last_used_agent": "",
        **changes,
    }
    stack.execute(
        f"INSERT INTO api_keys ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))})",  # noqa: S608
        *values.values(),
    )
    return Key(key_id, account, secret)


def add_user(stack: Stack, *, account: int, role: str = "operator", **changes: Any) -> str:
    """A person of `account` with `PASSWORD`; returns the user name."""
    name = f"user-{next(_numbers)}-{uuid.uuid4().hex[:6]}"
    values = {
        "username": name,
        "password": _hash(PASSWORD),  # the same for everybody: hashing is slow by design
        "role": role,
        "account_id": account,
        "is_active": True,
        "is_staff": False,
        "is_superuser": False,
        "first_name": "",
        "last_name": "",
        "email": "",
        "date_joined": "now()",
        **changes,
    }
    stack.execute(
        f"INSERT INTO accounts_user ({', '.join(values)}) "  # noqa: S608 - names of our own
        f"VALUES ({', '.join(['%s'] * len(values))})",
        *values.values(),
    )
    return name


def log_in(stack: Stack, username: str) -> dict[str, Any]:
    """The pair of tokens of a new login."""
    response = httpx.post(
        f"{stack.base_url}/auth/login", json={"username": username, "password": PASSWORD}, timeout=20
    )
    assert response.status_code == 200, response.text
    pair: dict[str, Any] = response.json()
    return pair


def bearer(pair: dict[str, Any]) -> dict[str, str]:
    """What a request of somebody who is logged in sends."""
    return {"Authorization": f"Bearer {pair['access_token']}"}
