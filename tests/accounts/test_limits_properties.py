"""Whatever limits there are and however somebody stands with them: what holds, and what the headers say."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from accounts.limits import Decision, LimitRule, Standing, Subject, applicable, counter_key, headers, refunded
from tests.examples import examples

ROUTES = st.sampled_from(["prediction", "predictions", "explain"])
SCOPES = st.sampled_from(["account", "key", "ip", "route", "global"])
RULES = st.builds(
    LimitRule,
    name=st.sampled_from(["burst", "hourly", "daily"]),
    scope=SCOPES,
    quota=st.integers(1, 10_000),
    window_s=st.integers(1, 2_678_400),
    burst=st.none() | st.integers(1, 10_000),
    route=st.just("") | ROUTES,
    tier=st.none() | st.just("free"),
)
SUBJECTS = st.builds(
    Subject,
    account_id=st.none() | st.integers(1, 3),
    lineage=st.none() | st.sampled_from(["ab" * 16, "cd" * 16]),
    address=st.sampled_from(["203.0.113.7", "2001:db8::"]),
    route=ROUTES,
)


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    """A decision on one to three rules of different names; a refusal has at least one that refuses."""
    rules = draw(st.lists(RULES, min_size=1, max_size=3, unique_by=lambda rule: rule.name))
    admitted = draw(st.booleans())
    refusing = draw(st.sets(st.sampled_from(range(len(rules))), min_size=1)) if not admitted else set()
    seconds = st.floats(0.001, 2_678_400)
    return Decision(
        admitted,
        tuple(
            Standing(
                rule,
                f"key-{place}",
                draw(st.integers(0, rule.capacity)),
                draw(st.just(0.0) | seconds),
                0,
                draw(seconds) if place in refusing else 0.0,
            )
            for place, rule in enumerate(rules)
        ),
        "redis",
    )


@examples(50)
@given(st.lists(RULES, max_size=8), ROUTES)
def test_of_each_name_one_rule_holds_and_of_those_that_do_none_is_more_specific(
    rules: list[LimitRule], route: str
) -> None:
    holding = applicable(rules, route)
    offered = [rule for rule in rules if rule.route in ("", route)]
    assert set(holding) <= set(offered)
    assert len({rule.name for rule in holding}) == len(holding)
    assert {rule.name for rule in holding} == {rule.name for rule in offered}
    chosen = {rule.name: rule for rule in holding}
    for rule in offered:
        found = chosen[rule.name]
        assert (bool(found.route), found.tier is not None) >= (bool(rule.route), rule.tier is not None)
    assert [rule.window_s for rule in holding] == sorted((rule.window_s for rule in holding), reverse=True)
    assert applicable(holding, route) == holding


@examples(50)
@given(RULES, SUBJECTS, SUBJECTS)
def test_a_counter_is_shared_by_those_alone_whom_the_scope_puts_together(
    rule: LimitRule, one: Subject, other: Subject
) -> None:
    def sharer(subject: Subject) -> object:
        by_address = rule.scope in ("account", "key") and subject.account_id is None
        return {
            "account": subject.account_id,
            "key": subject.lineage or subject.account_id,
            "ip": subject.address,
            "route": subject.route,
            "global": None,
        }["ip" if by_address else rule.scope], by_address

    assert (counter_key(rule, one) == counter_key(rule, other)) == (sharer(one) == sharer(other))
    assert counter_key(rule, one).count("{") == counter_key(rule, one).count("}") == 1


@examples(50)
@given(decisions(), st.floats(0, 4e9))
def test_the_headers_say_one_thing_in_all_their_forms(decision: Decision, now_s: float) -> None:
    told = dict(headers(decision, now_s))
    policies = re.findall(r'"(\w+)";q=(\d+);w=(\d+)', told["RateLimit-Policy"])
    states = re.findall(r'"(\w+)";r=(\d+);t=(\d+)', told["RateLimit"])
    assert len(policies) == len(states) == len(decision.standings)
    for standing, (name, quota, window), (also, remaining, reset) in zip(
        decision.standings, policies, states, strict=True
    ):
        assert name == also == standing.rule.name
        assert (int(quota), int(window)) == (standing.rule.capacity, standing.rule.full_after_s)
        assert 0 <= int(remaining) <= int(quota)
        assert int(reset) >= (standing.wait_s or standing.reset_s)
    assert int(told["X-RateLimit-Remaining"]) <= int(told["X-RateLimit-Limit"])
    assert int(told["X-RateLimit-Reset"]) >= int(now_s)
    assert ("Retry-After" in told) == (not decision.admitted)
    if decision.refused is not None:
        assert int(told["Retry-After"]) >= max(one.wait_s for one in decision.standings)
        assert int(told["Retry-After"]) == decision.retry_after_s >= 1
        resets = {name: reset for name, _, reset in states}
        assert resets[decision.refused.rule.name] == told["Retry-After"]


@examples(50)
@given(decisions(), st.integers(0, 100), st.integers(0, 100))
def test_refunds_add_up_and_never_give_more_than_there_is(decision: Decision, one: int, other: int) -> None:
    found = refunded(decision, one + other)
    assert refunded(refunded(decision, one), other) == found
    for before, after in zip(decision.standings, found.standings, strict=True):
        assert before.remaining <= after.remaining <= after.rule.capacity
    assert refunded(decision, 0) == decision
