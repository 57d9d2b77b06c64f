"""Logins into the API: beginning one, refreshing it, ending it, and asking whether it still stands.

1. A login is a family of refresh tokens; each is good for one use and is replaced by the next one.
2. Whoever uses one a second time holds a copy, and nobody can tell who stole from whom: the family ends.
3. A request that had arrived before its token was used is no copy: it ran beside the winner and only loses.
4. A family ends with its time, a logout, another password, or when its user or account is switched off. That
   is looked up on every call, so it holds at once.
Tokens are stored as digests; the form of access tokens is `accounts.tokens`' business.
Longer than most modules: the four rules are read together or not understood.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts import audit, tokens
from accounts.models import RefreshToken, Tier, TokenFamily, User
from observability import request_context

logger = logging.getLogger(__name__)

REFRESH_PREFIX = "pgwr_"

_FORM = re.compile(rf"{REFRESH_PREFIX}[A-Za-z0-9_-]{{43}}")
_PRUNED_AT_ONCE = 100

# Of four tables, what every call with a token has to read.
_NEEDED = (
    "password_fingerprint",
    "user__username",
    "user__password",
    "user__role",
    "user__is_superuser",
    "user__account__tier__name",
)

Reason = Literal["malformed", "unknown", "revoked", "expired", "raced", "reused", "inactive", "password"]


class LoginRefused(Exception):
    """The password was right, but the user or their account is switched off."""


class RefreshRefused(Exception):
    """The refresh token is not good. `reason` is for logs: outside, all of them get the same answer."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a login or a refresh gives: both texts exist nowhere else."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in_s: int
    refresh_expires_in_s: int


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A login that stands, with its person as they are now."""

    user_id: int
    username: str
    role: str
    account_id: int
    tier: str
    family_id: uuid.UUID


@transaction.atomic
def log_in(*, user: User, now: datetime, agent: str) -> TokenPair:
    """Begin a login of `user`, whose password was checked; gives them an account if they have none.

    Raises `LoginRefused`.
    """
    # Holding the row makes parallel first logins find the account that one of them has made; without a join,
    # since Postgres would join the row it waited for as it was before the wait.
    held = User.objects.select_for_update().get(pk=user.pk)
    if not held.is_active or (held.account is not None and not held.account.is_active):
        raise LoginRefused
    if held.account is None:
        _give_account(held)
    family = TokenFamily.objects.create(
        user=held,
        # Of the password that was checked, not of one that was set since.
        password_fingerprint=user.get_session_auth_hash(),
        expires_at=now + timedelta(seconds=settings.GATEWAY.refresh_token_s),
        address=request_context.address()[:45],
        agent=_clean(agent),
    )
    _note("session.login", family, agent=family.agent)
    return _issue_pair(family, now)


def refresh(
    *,
    token: str,
    now: datetime,
    arrived_at: datetime,
    agent: str,
    clock: Callable[[], datetime] = timezone.now,
) -> TokenPair:
    """Exchange the refresh `token`, in a request that came at `arrived_at`; raises `RefreshRefused`.

    Must not be called inside a transaction: what a replay ends stays ended although the call raises.
    """
    with transaction.atomic(durable=True):
        found = _find_token(token)
        outcome = _exchange(found, now, arrived_at, agent, clock) if found else _why_not_found(token)
    if isinstance(outcome, TokenPair):
        return outcome
    raise RefreshRefused(outcome)


def find_family(*, token: str, now: datetime, arrived_at: datetime, agent: str) -> uuid.UUID:
    """The login that the refresh `token` belongs to, without using it; raises `RefreshRefused`.

    A replay ends the family, as in `refresh`; a token that lost a race still names its login.
    """
    with transaction.atomic(durable=True):
        found = _find_token(token)
        if found is None:
            raise RefreshRefused(_why_not_found(token))
        reason = _why_ended(found, now) or _judge_use(found, now, arrived_at, agent)
    if reason not in (None, "raced"):
        raise RefreshRefused(reason)
    return found.family.pk


@transaction.atomic
def log_out(*, family_id: uuid.UUID, now: datetime) -> bool:
    """End the login `family_id`; False if it does not stand any more."""
    return _revoke(family_id, now, action="session.logout", because="logout")


@transaction.atomic
def log_out_everywhere(*, user: User, now: datetime, because: str, actor: str | None = None) -> int:
    """End every login of `user`; returns how many stood. `actor` is the user unless it is given."""
    # Two calls at once would otherwise lock the same rows in different orders.
    User.objects.select_for_update().get(pk=user.pk)
    standing = TokenFamily.objects.filter(user=user, revoked_at=None, expires_at__gt=now)
    ended = standing.update(revoked_at=now, revoked_because=because)
    audit.record(
        actor=actor or f"user {user.username}",
        action="session.logout_everywhere",
        kind="user",
        subject_id=user.pk,
        subject=user.username,
        because=because,
        logins=ended,
    )
    return ended


def find_session(family_id: uuid.UUID, *, now: datetime) -> LiveSession | None:
    """The login `family_id` if it stands at `now`, by one query; None if it has ended for whatever reason."""
    family = (
        TokenFamily.objects.select_related("user__account__tier")
        .only(*_NEEDED)
        .filter(
            pk=family_id,
            revoked_at=None,
            expires_at__gt=now,
            user__is_active=True,
            user__account__is_active=True,
        )
        .first()
    )
    if family is None or family.user.account is None or not _has_same_password(family):
        return None
    user, account = family.user, family.user.account
    return LiveSession(user.pk, user.username, user.effective_role, account.pk, account.tier.name, family.pk)


def prune(*, before: datetime) -> int:
    """Delete the logins that ended before `before`, a batch at a time; returns how many."""
    ended = TokenFamily.objects.filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before))
    pruned = 0
    while batch := list(ended.order_by("expires_at").values_list("pk", flat=True)[:_PRUNED_AT_ONCE]):
        TokenFamily.objects.filter(pk__in=batch).delete()
        pruned += len(batch)
    return pruned


def _give_account(user: User) -> None:
    # `actions` needs `credentials`, which asks this module.
    from accounts.actions import TIER_OF_NEW_ACCOUNTS, create_account

    tier = Tier.objects.get(name=TIER_OF_NEW_ACCOUNTS)
    user.account = create_account(name=user.username, tier=tier, actor=f"user {user.username}")
    user.save(update_fields=["account"])


def _find_token(token: str) -> RefreshToken | None:
    if not _FORM.fullmatch(token):
        return None
    return RefreshToken.objects.select_related("family__user__account").filter(pk=_digest(token)).first()


def _why_not_found(token: str) -> Reason:
    return "unknown" if _FORM.fullmatch(token) else "malformed"


def _exchange(
    held: RefreshToken, now: datetime, arrived_at: datetime, agent: str, clock: Callable[[], datetime]
) -> TokenPair | Reason:
    reason = _why_ended(held, now) or _judge_use(held, now, arrived_at, agent) or _why_unfit(held.family)
    if reason:
        return reason
    # Its time is taken here, after all waiting: a rival that has arrived by now only loses the race. The one
    # moment that decides between parallel uses: the database lets a single update through. A family
    # that ends beside it takes the new token along.
    if not RefreshToken.objects.filter(pk=held.pk, used_at=None).update(used_at=clock()):
        held.refresh_from_db(fields=["used_at"])
        return _judge_use(held, now, arrived_at, agent) or "raced"
    return _issue_pair(held.family, now)


def _why_ended(held: RefreshToken, now: datetime) -> Reason | None:
    if held.family.revoked_at is not None:
        return "revoked"
    return "expired" if now >= min(held.expires_at, held.family.expires_at) else None


def _judge_use(held: RefreshToken, now: datetime, arrived_at: datetime, agent: str) -> Reason | None:
    """None for a token that is unused; a replay ends the family."""
    if held.used_at is None:
        return None
    if arrived_at < held.used_at:
        return "raced"
    family = held.family
    if _revoke(family.pk, now, action="session.refresh_reused", because="reuse", agent=_clean(agent)):
        logger.warning("refresh token used again: login %s of user %s has ended", family.pk, family.user)
    return "reused"


def _why_unfit(family: TokenFamily) -> Reason | None:
    user = family.user
    if not user.is_active or user.account is None or not user.account.is_active:
        return "inactive"
    return None if _has_same_password(family) else "password"


def _has_same_password(family: TokenFamily) -> bool:
    return constant_time_compare(family.password_fingerprint, family.user.get_session_auth_hash())


def _revoke(family_id: uuid.UUID, now: datetime, *, action: str, because: str, **detail: str) -> bool:
    standing = TokenFamily.objects.filter(pk=family_id, revoked_at=None, expires_at__gt=now)
    if not standing.update(revoked_at=now, revoked_because=because):
        return False
    _note(action, TokenFamily.objects.select_related("user").get(pk=family_id), **detail)
    return True


def _issue_pair(family: TokenFamily, now: datetime) -> TokenPair:
    token = REFRESH_PREFIX + secrets.token_urlsafe(32)
    RefreshToken.objects.create(digest=_digest(token), family=family, expires_at=family.expires_at)
    left_s = int((family.expires_at - now).total_seconds())
    return TokenPair(
        tokens.issue_access_token(family.user_id, family.pk, now=now, not_after=family.expires_at),
        token,
        expires_in_s=min(settings.GATEWAY.access_token_s, left_s),
        refresh_expires_in_s=left_s,
    )


def _note(action: str, family: TokenFamily, **detail: str) -> None:
    audit.record(
        actor=f"user {family.user.username}",
        action=action,
        kind="session",
        subject_id=family.pk,
        subject=f"login of {family.user.username}",
        **detail,
    )


def _digest(token: str) -> str:
    """256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def _clean(agent: str) -> str:
    """Postgres takes no NUL in a text."""
    return agent.replace("\0", "")[:200]
