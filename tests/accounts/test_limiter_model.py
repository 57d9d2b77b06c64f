"""Both limiters beside a model in exact arithmetic: several limits, costs, refunds, and time that passes.

The clock of the one in memory is an argument. That of Valkey is its own: time passes there by moving all that
is stored into the past. Everything happens at whole hours; what really passes meanwhile is less than one.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import msgspec
import redis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from accounts.limiter import Limiter
from accounts.limits import KEY_PREFIX, Decision, LimitRule
from accounts.local_limiter import LocalLimiter
from tests.accounts.test_limits import rule as limit
from tests.accounts.test_limits import subject
from tests.examples import examples

HOUR_S = 3600
BEGIN_S = 1_000_000 * HOUR_S
# Calls come back after whole hours: 12 hours hold 1 to 12 calls.
WINDOWS = st.builds(
    lambda name, quota, hours: limit(name, quota=quota, window_s=hours * HOUR_S),
    st.sampled_from(["a", "b", "c"]),
    st.integers(1, 3),
    st.sampled_from([1, 2, 12]),
)
BUCKETS = st.builds(
    lambda name, quota, burst: limit(name, quota=quota, window_s=12 * HOUR_S, burst=burst),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from([2, 4, 6, 12]),
    st.integers(1, 4),
)


@dataclass
class Window:
    """Calls counted until an hour; None before the first."""

    rule: LimitRule
    used: int = 0
    ends: int | None = None

    def move_to(self, hour: int) -> None:
        """Its time may be over."""
        if self.ends is not None and self.ends <= hour:
            self.used, self.ends = 0, None

    def remaining(self) -> int:
        """How many calls are left."""
        return self.rule.quota - self.used

    def charge(self, hour: int, cost: int) -> int:
        """Count `cost`; returns what tells this window from every other."""
        self.ends = self.ends or hour + self.rule.window_s // HOUR_S
        self.used += cost
        return self.ends

    def refund(self, hour: int, cost: int, mark: Any) -> None:
        """Give back to the same window alone."""
        if mark == self.ends:
            self.used = max(0, self.used - cost)

    def reset_hours(self, hour: int) -> Fraction:
        """Until all calls are there again."""
        ends = hour + self.rule.window_s // HOUR_S if self.ends is None else self.ends
        return Fraction(ends - hour)


@dataclass
class Bucket:
    """Calls that have not come back yet, and at which hour that was so."""

    rule: LimitRule
    owed: Fraction = Fraction(0)
    hour: int = 0

    @property
    def interval(self) -> Fraction:
        """Hours that one call takes to come back."""
        return Fraction(self.rule.window_s, self.rule.quota * HOUR_S)

    def move_to(self, hour: int) -> None:
        """Calls come back."""
        self.owed, self.hour = max(Fraction(0), self.owed - (hour - self.hour) / self.interval), hour

    def remaining(self) -> int:
        """How many calls are left."""
        return int(self.rule.capacity - self.owed)

    def charge(self, hour: int, cost: int) -> Fraction:
        """Count `cost`; returns when the bucket is full again."""
        self.owed += cost
        return hour + self.owed * self.interval

    def refund(self, hour: int, cost: int, mark: Any) -> None:
        """Give back what has not come back by itself."""
        given = max(Fraction(0), min(Fraction(cost), (mark - hour) / self.interval))
        self.owed = max(Fraction(0), self.owed - given)

    def reset_hours(self, hour: int) -> Fraction:
        """Until all calls are there again."""
        return self.owed * self.interval


@dataclass
class Taken:
    """A call that was let in, and what each of the three knows of it."""

    account: int
    cost: int
    hour: int
    local: Decision
    remote: Decision
    marks: list[Any] = field(default_factory=list)


class LimiterModel(RuleBasedStateMachine):
    """Two accounts under the same limits."""

    def __init__(self) -> None:
        super().__init__()
        self.hour = BEGIN_S // HOUR_S
        self.local = LocalLimiter()
        self.runner = asyncio.Runner()
        self.redis = redis.Redis.from_url(os.environ["REDIS_URL"])
        self.redis.flushdb()
        self.limiter = Limiter(os.environ["REDIS_URL"])
        self.taken: list[Taken] = []

    @initialize(rules=st.lists(WINDOWS | BUCKETS, min_size=1, max_size=3, unique_by=lambda one: one.name))
    def make(self, rules: list[LimitRule]) -> None:
        """Nobody has called yet."""
        self.limits = tuple(rules)
        self.counters = {
            account: [Window(one) if one.burst is None else Bucket(one, hour=self.hour) for one in rules]
            for account in (7, 8)
        }

    @rule(account=st.sampled_from([7, 7, 7, 8]), cost=st.sampled_from([1, 1, 1, 1, 2, 5, 0]))
    def take(self, account: int, cost: int) -> None:
        """A call, or a look."""
        counters = self.counters[account]
        made = self.ask(account, cost)
        if made.local.admitted and cost:
            made.marks = [one.charge(self.hour, cost) for one in counters]
            self.taken.append(made)
            self.ask(account, cost=0)

    def ask(self, account: int, cost: int) -> Taken:
        """What both decide, which is what the model says."""
        who, counters = subject(account_id=account), self.counters[account]
        local = self.local.take(self.limits, who, now_s=self.hour * HOUR_S, cost=cost)
        remote = self.runner.run(self.limiter.take(self.limits, who, cost=cost))
        fits = [not cost or one.remaining() >= cost for one in counters]
        for decision in (local, remote):
            assert decision.admitted == all(fits)
            self.check(decision, counters, fits, cost if all(fits) else 0)
        return Taken(account, cost, self.hour, local, remote)

    def check(
        self, decision: Decision, counters: list[Window | Bucket], fits: list[bool], taken: int
    ) -> None:
        """What is left, when all is there again, and who refuses."""
        for standing, counter, does_fit in zip(decision.standings, counters, fits, strict=True):
            assert standing.remaining == counter.remaining() - taken
            assert 0 <= standing.remaining <= standing.rule.capacity
            assert (standing.wait_s == 0) == does_fit
            if not taken:  # in Valkey some seconds have passed since the hour
                passed_s = float(counter.reset_hours(self.hour)) * HOUR_S - standing.reset_s
                assert -0.001 <= passed_s < (HOUR_S if decision.source == "redis" else 0.001)

    @precondition(lambda self: self.taken)
    @rule(place=st.integers(0, 100))
    def refund(self, place: int) -> None:
        """Give a call back, however long ago it was; once."""
        made = self.taken.pop(place % len(self.taken))
        for counter, mark in zip(self.counters[made.account], made.marks, strict=True):
            counter.refund(self.hour, made.cost, mark)
        self.local.refund(made.local, made.cost, now_s=self.hour * HOUR_S)
        self.runner.run(self.refund_remote(made))
        self.ask(made.account, cost=0)

    async def refund_remote(self, made: Taken) -> None:
        """Nobody waits for it: what is asked next stands behind it on the same connection."""
        ago_s = (self.hour - made.hour) * HOUR_S
        standings = tuple(
            msgspec.structs.replace(one, mark=one.mark - ago_s * (1_000 if one.rule.burst is None else 10**6))
            for one in made.remote.standings
        )
        self.limiter.refund(msgspec.structs.replace(made.remote, standings=standings), made.cost)

    @rule(hours=st.sampled_from([1, 1, 1, 2, 12]))
    def pass_time(self, hours: int) -> None:
        """Time passes for everybody."""
        self.hour += hours
        for counter in (one for some in self.counters.values() for one in some):
            counter.move_to(self.hour)
        for key in self.redis.scan_iter(f"{KEY_PREFIX}*"):
            ends_ms = int(self.redis.pexpiretime(key))
            if key.endswith(b":b"):
                full_us = float(self.redis.get(key) or 0) - hours * HOUR_S * 1e6
                self.redis.set(key, f"{full_us:.3f}", keepttl=True)
            self.redis.pexpireat(key, ends_ms - hours * HOUR_S * 1_000)

    def teardown(self) -> None:
        """Close what was opened."""
        self.runner.run(self.limiter.close())
        self.runner.close()
        self.redis.close()


TestLimiterModel = LimiterModel.TestCase
TestLimiterModel.settings = examples(25, steps=40)
