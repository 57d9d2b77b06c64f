"""The profile: who is calling, how they stand with each limit of their tier, and what their account used."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime

from accounts import directory, keys, usage
from accounts.callers import Caller
from accounts.directory import TierRecord
from accounts.key_answers import (
    AccountAnswer,
    CallerAnswer,
    LimitAnswer,
    ProfileAnswer,
    SocketsAnswer,
    UsageAnswer,
)
from accounts.limits import Decision, LimitRule, applicable
from accounts.models import Account
from accounts.models.records import NO_ACCOUNT


def profile_of(caller: Caller, decision: Decision | None, *, now: datetime, days: int) -> ProfileAnswer:
    """The profile of `caller`; `decision` is how the rim found their limits, None where it did not look."""
    account = Account.objects.get(pk=caller.account_id or NO_ACCOUNT)
    tier = _tier_of(caller)
    return ProfileAnswer(
        account=AccountAnswer(account.name, account.created_at),
        caller=_describe_caller(caller),
        tier=caller.tier,
        scopes=sorted(caller.scopes),
        limits=describe_limits(tier.rules, decision),
        sockets=SocketsAnswer(most_connections=tier.most_connections, frames_per_s=tier.frames_per_s),
        days=days,
        usage=[UsageAnswer(**row) for row in usage.of_account(account.pk, now=now, days=days)],
    )


def describe_limits(rules: Iterable[LimitRule], decision: Decision | None) -> list[LimitAnswer]:
    """Those of a tier's `rules` that count somewhere; what `decision` did not ask about is not known."""
    rules = list(rules)
    routes = ["", *sorted({rule.route for rule in rules if rule.route})]
    counting = dict.fromkeys(rule for route in routes for rule in applicable(rules, route))
    standings = {} if decision is None else {standing.rule: standing for standing in decision.standings}
    return [
        LimitAnswer(
            name=rule.name,
            scope=rule.scope,
            route=rule.route or None,
            quota=rule.quota,
            window_s=rule.window_s,
            burst=rule.burst,
            remaining=standings[rule].remaining if rule in standings else None,
            reset_s=math.ceil(standings[rule].reset_s) if rule in standings else None,
        )
        for rule in counting
    ]


def _describe_caller(caller: Caller) -> CallerAnswer:
    if caller.key_id is not None:
        return CallerAnswer(kind="key", key=keys.public_id(caller.key_id), expires_at=caller.expires_at)
    return CallerAnswer(
        kind="user",
        user=caller.name.removeprefix("user "),
        role=caller.role,
        expires_at=caller.expires_at,
    )


def _tier_of(caller: Caller) -> TierRecord:
    known = directory.current()
    if not known.knows_tiers:
        known.load_tiers()
    return known.find_tier(caller.tier)
