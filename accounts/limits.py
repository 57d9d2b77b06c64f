"""What a limit is, which limits hold for a call, who shares a counter, and how it is told. Pure.

Two kinds: a fixed window of `quota` calls in `window_s` seconds that begins with its first call, and a token
bucket of `burst` calls that fills at `quota` per `window_s`. Headers follow
draft-ietf-httpapi-ratelimit-headers revision 11, with the older ``X-RateLimit-*`` beside them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Literal

import msgspec

Scope = Literal["account", "key", "ip", "route", "global"]

KEY_PREFIX = "pgw:limit:"


class LimitRule(msgspec.Struct, frozen=True):
    """One limit. `route` empty holds for every route, `tier` None for every tier."""

    name: str
    scope: Scope
    quota: int
    window_s: int
    burst: int | None
    route: str
    tier: str | None

    @property
    def capacity(self) -> int:
        """The most calls that can be made at once."""
        return self.quota if self.burst is None else self.burst

    @property
    def full_after_s(self) -> int:
        """Seconds until all of `capacity` is there again: the window, or how long the bucket fills."""
        return self.window_s if self.burst is None else math.ceil(self.burst * self.window_s / self.quota)


class Subject(msgspec.Struct, frozen=True):
    """Who calls what: `lineage` is the key together with those it was rotated to, `address` a block."""

    account_id: int | None
    lineage: str | None
    address: str
    route: str


class Standing(msgspec.Struct, frozen=True):
    """How the subject stands with `rule`: calls left, and seconds until all are there again.

    `key` is the counter and `mark` the state it was left in, for a refund. `wait_s` is how long a call that
    was refused has to wait, 0 for one that was not.
    """

    rule: LimitRule
    key: str
    remaining: int
    reset_s: float
    mark: int
    wait_s: float = 0.0


class Decision(msgspec.Struct, frozen=True):
    """What all limits together say. `source` is whose counters were asked."""

    admitted: bool
    standings: tuple[Standing, ...]
    source: Literal["redis", "local"]

    @property
    def refused(self) -> Standing | None:
        """The limit that refused; of several, the one that the caller has to wait for longest."""
        return None if self.admitted else max(self.standings, key=lambda standing: standing.wait_s)

    @property
    def retry_after_s(self) -> int:
        """Whole seconds after which the call will not be refused again; 0 if it was admitted."""
        refused = self.refused
        return 0 if refused is None else max(1, math.ceil(refused.wait_s))


def applicable(rules: Iterable[LimitRule], route: str) -> tuple[LimitRule, ...]:
    """Those of `rules` that hold on `route`, longest window first.

    Of rules that share a name the most specific one counts: tier and route, route, tier, none.
    """
    chosen: dict[str, LimitRule] = {}
    for rule in sorted(rules, key=lambda rule: (bool(rule.route), rule.tier is not None)):
        if rule.route in ("", route):
            chosen[rule.name] = rule
    return tuple(sorted(chosen.values(), key=lambda rule: (-rule.window_s, rule.name)))


def counter_key(rule: LimitRule, subject: Subject) -> str:
    """The counter that `subject` shares under `rule`.

    The tier is not part of it: keys of one account on different tiers draw on one counter. The braces keep
    the counters of one subject in one slot of a Redis Cluster.
    """
    kind = f"w{rule.window_s}" if rule.burst is None else "b"
    route = f":{rule.route}" if rule.route else ""
    return f"{KEY_PREFIX}{{{_sharer(rule.scope, subject)}}}:{rule.name}:{kind}{route}"


def refunded(decision: Decision, cost: int) -> Decision:
    """`decision` as it stands after `cost` was given back."""
    standings = tuple(
        msgspec.structs.replace(one, remaining=min(one.rule.capacity, one.remaining + cost))
        for one in decision.standings
    )
    return msgspec.structs.replace(decision, standings=standings)


def headers(decision: Decision, now_s: float) -> list[tuple[str, str]]:
    """The headers that tell of `decision` at the epoch second `now_s`.

    ``X-RateLimit-*`` speaks of the longest window, on a refusal of the limit that refused; its reset is an
    epoch second, while ``t`` in ``RateLimit`` and ``Retry-After`` count seconds from now.
    """
    shown = decision.refused or max(decision.standings, key=lambda standing: standing.rule.window_s)
    reset_s = shown.wait_s or shown.reset_s
    found = [
        ("X-RateLimit-Limit", str(shown.rule.capacity)),
        ("X-RateLimit-Remaining", str(shown.remaining)),
        ("X-RateLimit-Reset", str(math.ceil(now_s + reset_s))),
        ("RateLimit-Policy", ", ".join([_policy(standing.rule) for standing in decision.standings])),
        ("RateLimit", ", ".join(map(_state, decision.standings))),
    ]
    if not decision.admitted:
        found.append(("Retry-After", str(decision.retry_after_s)))
    return found


@functools.lru_cache(maxsize=1024)
def _policy(rule: LimitRule) -> str:
    return f'"{rule.name}";q={rule.capacity};w={rule.full_after_s}'


def _state(standing: Standing) -> str:
    # A limit that refused is told with the same instant as Retry-After.
    seconds = max(1, math.ceil(standing.wait_s)) if standing.wait_s else math.ceil(standing.reset_s)
    return f'"{standing.rule.name}";r={standing.remaining};t={seconds}'


def _sharer(scope: Scope, subject: Subject) -> str:
    if scope == "global":
        return "all"
    if scope == "route":
        return f"route:{subject.route}"
    if scope == "ip" or subject.account_id is None:
        return f"ip:{subject.address}"
    if scope == "key" and subject.lineage is not None:
        return f"key:{subject.lineage}"
    return f"account:{subject.account_id}"
