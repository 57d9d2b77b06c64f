"""Who is let in, asked once a request at the rim: credential, rights, limits. What comes after relies on it.

1. A credential that is bad is 401; none, on a route that wants one, is 401 too and costs nothing.
2. A caller without the scope that `accounts.access` asks for is 403.
3. Every limit of the caller's tier is checked and taken in one round trip to Redis; tiers without limits cost
   none. While Redis is away the tier's policy decides.
4. Whoever answers finds the outcome in the ASGI scope under `accounts.authentication.SCOPE_KEY`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from django.conf import settings
from django.db import Error as DatabaseFailure

from accounts import access, credentials, directory, failures, guessing, limiter, limits
from accounts.access import Need, NotAllowed
from accounts.callers import ANONYMOUS, Caller
from accounts.credentials import CredentialRefused
from accounts.limits import Decision, LimitRule, Subject
from accounts.local_limiter import LocalLimiter
from accounts.networks import block_of
from observability import blocking, metrics
from observability.redis_link import RedisUnavailable

logger = logging.getLogger(__name__)


QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
_RETRY_S = 2

Headers = list[tuple[str, str]]

# What could keep the database busy although no limit of a tier counts it: calls that cost nothing, and
# answers 304, which are given back only so fast. Counted in each process.
_FREE_CALLS = (LimitRule("free-calls", "account", 10, 1, 100, "", None),)
_FREE_ANSWERS = (LimitRule("free-answers", "account", 100, 1, 1000, "", None),)
_guarded = LocalLimiter()

# Counts for this process while Redis is away.
_local = LocalLimiter()

_tiers, _policies = metrics.Names(), metrics.Names()


class Admission(msgspec.Struct, frozen=True):
    """The caller that was let in, and how they stand with their limits (None without limits)."""

    caller: Caller
    decision: Decision | None = None
    cost: int = 0
    subject: Subject | None = None

    def settle(self, status: int, now: datetime) -> Headers:
        """The headers that an answer with `status` owes this caller; what a 304 has taken is given back."""
        found: Headers = []
        if self.decision is not None:
            is_free = status == 304 and self._give_back(self.decision)
            decision = limits.refunded(self.decision, self.cost) if is_free else self.decision
            found += limits.headers(decision, now.timestamp())
        if self.caller.replaced_until is not None:
            end = self.caller.replaced_until.strftime("%Y-%m-%dT%H:%M:%SZ")
            found.append(("Warning", f'299 - "This API key was rotated and ends at {end}; use the new one."'))
            found.append(("X-API-Key-Expires", end))
        return found

    def _give_back(self, decision: Decision) -> bool:
        now_s = time.monotonic()
        if not self.cost or self.subject is None:
            return False
        if not _guarded.take(_FREE_ANSWERS, self.subject, now_s=now_s).admitted:
            return False
        if decision.source == "local":
            _local.refund(decision, self.cost, now_s=now_s)
        else:
            limiter.current().refund(decision, self.cost)
        return True


class Refused(Exception):
    """The request ends here: a code of the problem catalogue, and what belongs into the answer."""

    def __init__(
        self, code: str, detail: str | None = None, *, headers: Iterable[tuple[str, str]] = (), **extra: Any
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.headers = list(headers)
        self.extra = extra
        self.caller = ANONYMOUS


async def admit(
    headers: list[tuple[bytes, bytes]], *, route: str, need: Need, address: str, cost: int, now: datetime
) -> Admission:
    """Let the request in; raises `Refused`."""
    if need.public:
        return Admission(ANONYMOUS)
    caller = await _authenticate(headers, address, now)
    try:
        access.check(need, caller, anonymous_access=settings.GATEWAY.anonymous_access)
    except NotAllowed as refused:
        if refused.code == "NOT_AUTHENTICATED":
            raise Refused(refused.code, refused.detail, headers=_CHALLENGE) from None
        failures.count(reason="scope", key=_public_id(caller), address=address)
        raise _with_caller(Refused(refused.code, refused.detail), caller) from None
    if not cost:
        _check_free_call(caller, address)
    rules = await _rules_of(caller, route)
    return await charge(caller, rules, route=route, address=address, cost=cost, now=now)


_CHALLENGE = [("WWW-Authenticate", 'Bearer realm="prediction-gateway"')]


async def _authenticate(headers: list[tuple[bytes, bytes]], address: str, now: datetime) -> Caller:
    try:
        credential = credentials.find_credential(headers)
        if credential is None:
            return ANONYMOUS
        caller = credentials.authenticate_from_memory(credential, now=now, address=address)
        return caller or await _look_up(credential, address, now)
    except CredentialRefused as refused:
        raise Refused("INVALID_CREDENTIAL", refused.detail, headers=_CHALLENGE) from None
    except (DatabaseFailure, TimeoutError) as error:
        logger.error("could not look a credential up: %s", type(error).__name__)
        detail = "Credentials cannot be checked right now; try again in a moment."
        raise unavailable(detail) from None


async def _look_up(credential: str, address: str, now: datetime) -> Caller:
    try:
        guessing.check(address)
    except guessing.TooManyGuesses as refused:
        raise _too_many(str(refused), refused.wait_s) from None
    try:
        return await credentials.look_up(credential, now=now, address=address)
    except CredentialRefused as refused:
        if refused.reason in guessing.REASONS:
            guessing.failed(address)
        raise


def _check_free_call(caller: Caller, address: str) -> None:
    subject = Subject(caller.account_id, caller.lineage, block_of(address), "")
    decision = _guarded.take(_FREE_CALLS, subject, now_s=time.monotonic())
    if not decision.admitted:
        detail = "The calls of this account that cost nothing come too fast."
        raise _with_caller(_too_many(detail, decision.retry_after_s), caller)


def _too_many(detail: str, wait_s: float) -> Refused:
    retry_s = max(1, math.ceil(wait_s))
    return Refused("TOO_MANY_ATTEMPTS", detail, headers=[("Retry-After", str(retry_s))], retry_after=retry_s)


async def charge(
    caller: Caller, rules: tuple[LimitRule, ...], *, route: str, address: str, cost: int, now: datetime
) -> Admission:
    """Take `cost` from all of the caller's limits on `route`; raises `Refused`."""
    if not rules:
        return Admission(caller)
    subject = Subject(
        account_id=caller.account_id, lineage=caller.lineage, address=block_of(address), route=route
    )
    try:
        decision = await limiter.current().take(rules, subject, cost=cost)
    except RedisUnavailable:
        policy = directory.current().tier(caller.tier).when_redis_is_down
        metrics.limit_fallbacks.labels(policy).inc()
        if policy == "open":
            return Admission(caller)
        if policy == "closed":
            raise _with_caller(unavailable("Limits cannot be checked right now."), caller) from None
        decision = _local.take(rules, subject, now_s=time.monotonic(), cost=cost)
    refused = decision.refused
    tier = _tiers.fold(caller.tier)
    if refused is not None:
        metrics.limit_decisions.labels(tier, _policies.fold(refused.rule.name), "refused").inc()
        _log_violation(caller, route, address, decision)
        raise _with_caller(_limited(decision, now), caller)
    metrics.limit_decisions.labels(tier, "all", "admitted").inc()
    return Admission(caller, decision, cost, subject)


async def _rules_of(caller: Caller, route: str) -> tuple[LimitRule, ...]:
    known = directory.current()
    try:
        return known.rules(caller.tier, route)
    except directory.UnknownTier:
        try:
            await blocking.run(known.load_tiers)
            return known.rules(caller.tier, route)
        except (DatabaseFailure, TimeoutError, directory.UnknownTier) as error:
            logger.error("could not load the limits of %s: %s", caller.tier, type(error).__name__)
            raise unavailable("Limits cannot be read right now.") from None


def _limited(decision: Decision, now: datetime) -> Refused:
    rule = decision.refused.rule if decision.refused else decision.standings[0].rule
    return Refused(
        "RATE_LIMIT_EXCEEDED",
        f"The limit {rule.name!r} of {rule.quota} calls per {rule.window_s} s is used up; "
        f"try again in {decision.retry_after_s} s.",
        headers=limits.headers(decision, now.timestamp()),
        type=QUOTA_EXCEEDED,
        retry_after=decision.retry_after_s,
        **{"violated-policies": [rule.name]},
    )


def unavailable(detail: str) -> Refused:
    """503: a store does not answer; the caller is told when to come back."""
    return Refused(
        "STORE_UNAVAILABLE", detail, headers=[("Retry-After", str(_RETRY_S))], retry_after=_RETRY_S
    )


def _with_caller(refused: Refused, caller: Caller) -> Refused:
    refused.caller = caller
    return refused


def _public_id(caller: Caller) -> str:
    return caller.name.removeprefix("key ") if caller.key_id else ""


_logged: dict[tuple[str, str], float] = {}


def _log_violation(caller: Caller, route: str, address: str, decision: Decision) -> None:
    """One line a minute for each caller and limit; every refusal is counted in the usage."""
    rule = decision.refused.rule.name if decision.refused else ""
    who = f"account {caller.account_id}" if caller.account_id is not None else block_of(address)
    now_s = time.monotonic()
    if now_s - _logged.get((who, rule), -60.0) < 60.0:
        return
    if len(_logged) >= 10_000:
        _logged.clear()
    _logged[who, rule] = now_s
    logger.warning(
        "rate limit %s exceeded: %s, tier %s, %s, route %s, from %s, retry after %d s",
        rule,
        who,
        caller.tier,
        caller.name,
        route,
        address,
        decision.retry_after_s,
    )
