"""Which limits hold, who shares a counter, and what the headers say. Pure."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.limits import (
    Decision,
    LimitRule,
    Standing,
    Subject,
    applicable,
    counter_key,
    headers,
    refunded,
)


def rule(name: str = "hourly", **changes: Any) -> LimitRule:
    """A limit of 100 an hour for an account, with `changes`."""
    values: dict[str, Any] = {
        "name": name,
        "scope": "account",
        "quota": 100,
        "window_s": 3600,
        "burst": None,
        "route": "",
        "tier": "free",
        **changes,
    }
    return LimitRule(**values)


def subject(**changes: Any) -> Subject:
    """A key of account 7 at the route "prediction", with `changes`."""
    values: dict[str, Any] = {
        "account_id": 7,
        "lineage": "ab" * 16,
        "address": "203.0.113.7",
        "route": "prediction",
        **changes,
    }
    return Subject(**values)


HOURLY = rule()
BURST = rule("burst", quota=10, window_s=1, burst=50)


def standing(rule_: LimitRule, remaining: int, reset_s: float, wait_s: float = 0.0) -> Standing:
    """How somebody stands with a limit."""
    return Standing(rule_, counter_key(rule_, subject()), remaining, reset_s, 0, wait_s)


def test_rules_of_other_routes_do_not_hold_and_the_longest_window_comes_first() -> None:
    other = rule("other", route="predictions")
    assert applicable([BURST, other, HOURLY], "prediction") == (HOURLY, BURST)
    assert applicable([BURST, other, HOURLY], "predictions") == (HOURLY, other, BURST)
    assert applicable([], "prediction") == ()


@pytest.mark.parametrize("turned_around", [False, True])
def test_of_rules_with_one_name_the_most_specific_counts(turned_around: bool) -> None:
    for_all = rule(tier=None, quota=1)
    tier = rule(quota=2)
    route = rule(tier=None, route="prediction", quota=3)
    both = rule(route="prediction", quota=4)
    offered = [for_all, tier, route, both]
    for most in range(1, 5):
        some = offered[:most]
        assert applicable(reversed(some) if turned_around else some, "prediction") == (some[-1],)


def test_the_counter_is_shared_by_whom_the_scope_names() -> None:
    def key(scope: str, **changes: Any) -> str:
        return counter_key(rule(scope=scope), subject(**changes))

    other_key = {"lineage": "cd" * 16, "address": "198.51.100.1"}
    assert key("account") == key("account", **other_key) != key("account", account_id=8)
    assert key("key") == key("key", address="198.51.100.1") != key("key", lineage="cd" * 16)
    assert key("ip") == key("ip", account_id=8, lineage="cd" * 16) != key("ip", address="198.51.100.1")
    assert key("route") == key("route", account_id=8) != key("route", route="predictions")
    assert key("global") == key("global", account_id=8, address="198.51.100.1", route="predictions")
    # A person has no key: theirs is the account's counter.
    assert key("key", lineage=None) == key("account")


@pytest.mark.parametrize("scope", ["account", "key"])
def test_callers_without_a_credential_count_by_address(scope: str) -> None:
    nobody = subject(account_id=None, lineage=None)
    assert counter_key(rule(scope=scope), nobody) == counter_key(rule(scope="ip"), subject())


def test_the_tier_is_no_part_of_the_counter_but_route_and_kind_are() -> None:
    assert counter_key(rule(tier="pro", quota=1000), subject()) == counter_key(HOURLY, subject())
    different = [HOURLY, BURST, rule(window_s=60), rule(route="prediction"), rule(burst=5)]
    assert len({counter_key(one, subject()) for one in different}) == len(different)


def test_headers_of_an_admitted_call_speak_of_the_longest_window() -> None:
    decision = Decision(True, (standing(HOURLY, 42, 1209.2), standing(BURST, 49, 0.1)), "redis")
    assert dict(headers(decision, 1_000_000.5)) == {
        "X-RateLimit-Limit": "100",
        "X-RateLimit-Remaining": "42",
        "X-RateLimit-Reset": "1001210",
        "RateLimit-Policy": '"hourly";q=100;w=3600, "burst";q=50;w=5',
        "RateLimit": '"hourly";r=42;t=1210, "burst";r=49;t=1',
    }
    assert (decision.refused, decision.retry_after_s) == (None, 0)


def test_headers_of_a_refusal_speak_of_the_limit_that_refused_and_of_one_instant() -> None:
    decision = Decision(False, (standing(HOURLY, 42, 1209.2), standing(BURST, 0, 5.0, wait_s=0.1)), "redis")
    told = dict(headers(decision, 1_000_000.0))
    assert (told["X-RateLimit-Limit"], told["X-RateLimit-Remaining"]) == ("50", "0")
    assert told["X-RateLimit-Reset"] == "1000001"
    assert told["Retry-After"] == "1"
    assert told["RateLimit"] == '"hourly";r=42;t=1210, "burst";r=0;t=1'


def test_of_several_refusals_the_longest_wait_is_told() -> None:
    decision = Decision(
        False, (standing(HOURLY, 0, 1209.2, wait_s=1209.2), standing(BURST, 0, 5.0, wait_s=0.1)), "redis"
    )
    assert decision.retry_after_s == 1210
    assert decision.refused is not None
    assert decision.refused.rule is HOURLY


def test_a_refund_gives_back_everywhere_and_never_more_than_there_is() -> None:
    decision = Decision(True, (standing(HOURLY, 42, 9.0), standing(BURST, 50, 0.0)), "redis")
    assert [one.remaining for one in refunded(decision, 1).standings] == [43, 50]


@pytest.mark.parametrize(
    ("quota", "window_s", "burst", "capacity", "full_after_s"),
    [(100, 3600, None, 100, 3600), (10, 1, 50, 50, 5), (3, 1, 10, 10, 4), (1, 60, 1, 1, 60)],
)
def test_capacity_and_time_to_fill(
    quota: int, window_s: int, burst: int | None, capacity: int, full_after_s: int
) -> None:
    one = rule(quota=quota, window_s=window_s, burst=burst)
    assert (one.capacity, one.full_after_s) == (capacity, full_after_s)
