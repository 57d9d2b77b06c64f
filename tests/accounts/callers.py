"""Callers for the tests of key routes: people who are logged in, keys, and calls in their name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.test import Client, override_settings
from django.urls import include, path
from django.utils import timezone

from accounts import actions, sessions
from accounts.models import Account, ApiKey, Tier, User

urlpatterns = [path("auth/", include("accounts.urls"))]

NO_ID = "0" * 21 + "7"
"""A well-formed public id that no key has."""


@dataclass(frozen=True)
class Holder:
    """Somebody who calls: the header that says so, and the id of the key or the name of the person."""

    headers: dict[str, str]
    name: str

    def __str__(self) -> str:
        return self.name


NOBODY = Holder({}, "nobody")


def account(name: str = "desk", tier: str = "pro") -> Account:
    """The account `name`."""
    return Account.objects.get_or_create(name=name, defaults={"tier": Tier.objects.get(name=tier)})[0]


def person(name: str, role: str = "viewer", of: str = "desk") -> Holder:
    """A person of the account `of` who has just logged in."""
    user = User.objects.create_user(name, role=role, account=account(of))
    pair = sessions.log_in(user=user, now=timezone.now(), agent="a browser")
    return Holder({"Authorization": f"Bearer {pair.access_token}"}, name)


def key(*scopes: str, of: str = "desk", by: str | None = None, **properties: Any) -> Holder:
    """A key of the account `of` with `scopes` (none: the default ones), made by the person `by`."""
    owner = account(of)
    issued = actions.issue_key(
        account=owner,
        tier=owner.tier,
        actor="test",
        now=timezone.now(),
        scopes=scopes or None,
        created_by=User.objects.get(username=by) if by else None,
        **properties,
    )
    return Holder({"X-API-Key": issued.secret}, issued.key.public_id)


def row(holder: Holder) -> ApiKey:
    """The row of a key."""
    return next(found for found in ApiKey.objects.all() if found.public_id == holder.name)


def call(method: str, path: str, who: Holder, body: object = None, **extra: Any) -> Any:
    """The answer to a call of `who`; `body` is sent as JSON, bytes as they are."""
    headers = {**who.headers, **extra.pop("headers", {})}
    if body is not None:
        extra["data"] = body if isinstance(body, bytes) else json.dumps(body).encode()
        extra.setdefault("content_type", "application/json")
    with override_settings(MIDDLEWARE=[]):
        return Client().generic(method, path, headers=headers, **extra)


def read(response: Any, status: int = 200) -> dict[str, Any]:
    """The body of an answer with `status`, which no cache may keep."""
    assert response.status_code == status, response.content
    assert response["Cache-Control"] == "no-store"
    assert {"Authorization", "X-API-Key"} <= set(response["Vary"].split(", "))
    found: dict[str, Any] = json.loads(response.content)
    return found


def error(response: Any) -> tuple[int, str]:
    """Status and code of a problem."""
    assert response["Content-Type"] == "application/problem+json"
    return response.status_code, read(response, response.status_code)["error"]


def pointers(response: Any) -> list[str]:
    """Which fields a 400 or 422 speaks of."""
    return [found["pointer"] for found in json.loads(response.content)["errors"]]
