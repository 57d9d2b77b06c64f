"""Callers whose sockets are watched, for tests of who may stay connected."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import datetime

import msgspec
from django.utils import timezone

from accounts import sessions
from accounts.actions import issue_key_by_names
from accounts.callers import Caller
from accounts.credentials import CredentialRefused, authenticate
from accounts.following import Change
from accounts.models import Account, Tier, User
from realtime.revocation import Revocation, Verdict, Watched

ADDRESS = "203.0.113.7"


class Socket:
    """A watched credential, and what was heard about it."""

    def __init__(self, revoking: Revocation, caller: Caller) -> None:
        self.heard: list[Verdict] = []
        self.told = asyncio.Event()
        # The ends that it was warned of.
        self.warned: list[datetime] = []
        self.was_warned = asyncio.Event()
        self.watched = Watched(caller, ADDRESS, self._hear, self._warn)
        revoking.add(self.watched)

    def _hear(self, verdict: Verdict) -> None:
        self.heard.append(verdict)
        self.told.set()

    def _warn(self, expires_at: datetime) -> None:
        self.warned.append(expires_at)
        self.was_warned.set()

    async def verdict(self) -> str:
        """The reason of the refusal, or ``changed``; waits for it."""
        await asyncio.wait_for(self.told.wait(), 20)
        [found] = self.heard
        return found.reason if isinstance(found, CredentialRefused) else "changed"


def make_key_caller() -> Caller:
    """Who calls with a new key of the account desk."""
    now = timezone.now()
    issued = issue_key_by_names(account_name="desk", tier_name="pro", actor="test", now=now)
    return authenticate(issued.secret, now=now, address=ADDRESS)


def make_person() -> Caller:
    """Somebody of the account people who has logged in."""
    account, _ = Account.objects.get_or_create(name="people", defaults={"tier": Tier.objects.get(name="pro")})
    user = User.objects.create(username=uuid.uuid4().hex, password="x", role="operator", account=account)
    now = timezone.now()
    pair = sessions.log_in(user=user, now=now, agent="")
    return authenticate(pair.access_token, now=now, address=ADDRESS)


@contextlib.asynccontextmanager
async def watching() -> AsyncIterator[Revocation]:
    """A watch that hears what the test tells it."""
    made = Revocation()
    try:
        yield made
    finally:
        for task in made._judging:
            task.cancel()
        await asyncio.gather(*made._judging, return_exceptions=True)


async def tell(revoking: Revocation, *changes: Change) -> None:
    """Hand changes over as the follower's thread does; returns when they are judged."""
    await asyncio.to_thread(revoking._hear, list(changes))
    await asyncio.sleep(0)
    while revoking._judging:
        await asyncio.wait_for(asyncio.gather(*revoking._judging), 20)


def key_change(caller: Caller, dashes: bool = False) -> Change:
    """As the database writes it: Postgres with dashes, SQLite without."""
    assert caller.key_id is not None
    return "key", str(caller.key_id) if dashes else caller.key_id.hex


def family_change(caller: Caller) -> Change:
    """A change of the login."""
    return "family", str(caller.family_id)


def user_change(caller: Caller) -> Change:
    """A change of the person."""
    return "user", str(caller.user_id)


def account_change(caller: Caller) -> Change:
    """A change of the account."""
    return "account", str(caller.account_id)


def ending(caller: Caller, at: datetime) -> Caller:
    """The same caller, until `at`."""
    return msgspec.structs.replace(caller, expires_at=at)
