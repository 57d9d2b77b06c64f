"""`GET /auth/profile`: the caller, their limits as the rim found them, and their account's usage alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from accounts import directory, usage
from accounts.authentication import SCOPE_KEY
from accounts.credentials import authenticate
from accounts.limits import Decision, LimitRule, Standing
from accounts.models import Limit, Tier
from accounts.models.records import NO_KEY
from accounts.profiles import describe_limits
from accounts.roles import ROLE_SCOPES
from tests.accounts.callers import Holder, account, call, error, key, person, pointers, read

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.accounts.callers")]


@pytest.fixture(autouse=True)
def tiers() -> None:
    """The tiers of the seed, in memory."""
    directory.current().load_tiers()


def profile(who: Holder, query: str = "", admission: object = None) -> dict[str, Any]:
    """The profile of `who`, behind a rim if it has left its `admission`."""
    extra: dict[str, Any] = {"asgi.scope": {SCOPE_KEY: admission}} if admission else {}
    return read(call("GET", f"/auth/profile{query}", who, **extra))


def use(name: str, day: datetime, route: str = "prediction") -> None:
    """Count a call of the account `name`."""
    usage.count(
        account_id=account(name).pk,
        key_id=NO_KEY,
        route=route,
        status=200,
        latency_ms=2.0,
        bytes_out=10,
        at=day,
    )
    usage.flush()


def test_200_a_person_sees_name_role_scopes_and_tier() -> None:
    found = profile(person("ann", "operator"))
    assert found["account"]["name"] == "desk"
    assert found["caller"]["kind"] == "user"
    assert (found["caller"]["user"], found["caller"]["role"]) == ("ann", "operator")
    assert found["caller"]["key"] is None
    assert (found["tier"], found["scopes"]) == ("pro", sorted(ROLE_SCOPES["operator"]))
    assert (found["days"], found["usage"]) == (7, [])


def test_200_a_key_sees_itself_by_its_public_id() -> None:
    holder = key("stream")
    found = profile(holder)
    assert found["caller"] == {
        "kind": "key", "user": None, "role": None, "key": str(holder), "expires_at": None
    }  # fmt: skip
    assert found["scopes"] == ["stream"]


def test_200_without_a_rim_limits_are_told_and_what_remains_is_not() -> None:
    found = profile(key())["limits"]
    assert [(one["name"], one["quota"], one["window_s"], one["burst"], one["scope"]) for one in found] == [
        ("hourly", 1000, 3600, None, "account"),
        ("burst", 50, 1, 250, "account"),
    ]
    assert {(one["remaining"], one["reset_s"]) for one in found} == {(None, None)}


def test_200_behind_the_rim_what_remains_is_what_the_rim_found() -> None:
    holder = key()
    caller = authenticate(holder.headers["X-API-Key"], now=timezone.now(), address="127.0.0.1")
    rules = directory.current().rules("pro", "auth-profile")
    standings = tuple(Standing(rule, "k", 7 + i, 12.1 + i, 0) for i, rule in enumerate(rules))
    admission = SimpleNamespace(caller=caller, decision=Decision(True, standings, "redis"))
    found = profile(holder, admission=admission)["limits"]
    assert [(one["remaining"], one["reset_s"]) for one in found] == [(7, 13), (8, 14)]


def test_200_a_tier_without_limits_has_none() -> None:
    account("big", tier="enterprise")
    assert profile(key(of="big"))["limits"] == []


def test_200_limits_of_one_route_and_of_everybody_are_told_unless_another_one_counts_instead() -> None:
    pro = Tier.objects.get(name="pro")
    Limit.objects.create(tier=pro, route="predictions", name="hourly", quota=5, window_s=60)
    Limit.objects.create(tier=None, name="everybody", scope="global", quota=9, window_s=1)
    Limit.objects.create(tier=None, name="hourly", quota=1, window_s=1)
    Limit.objects.create(tier=Tier.objects.get(name="free"), name="other", quota=1, window_s=1)
    directory.current().load_tiers()
    found = [(one["name"], one["route"], one["quota"]) for one in profile(key())["limits"]]
    assert sorted(found, key=str) == [
        ("burst", None, 50),
        ("everybody", None, 9),
        ("hourly", "predictions", 5),
        ("hourly", None, 1000),
    ]


def test_200_the_profile_says_what_sockets_may() -> None:
    assert profile(key())["sockets"] == {"most_connections": 50, "frames_per_s": 10}
    account("big", tier="enterprise")
    assert profile(key(of="big"))["sockets"] == {"most_connections": None, "frames_per_s": 10}


def test_what_was_not_asked_about_is_not_known() -> None:
    rules = [LimitRule("a", "account", 5, 60, None, route, "pro") for route in ("", "predictions")]
    decision = Decision(True, (Standing(rules[0], "k", 3, 0.0, 0),), "local")
    assert [one.remaining for one in describe_limits(rules, decision)] == [3, None]


def test_200_usage_is_by_day_and_route_and_of_this_account_alone() -> None:
    today = datetime.now(UTC)
    for day, route in [(today, "prediction"), (today, "prediction"), (today, "predictions")]:
        use("desk", day, route)
    use("desk", today - timedelta(days=3))
    use("desk", today - timedelta(days=40))
    use("another account", today)
    found = profile(key())["usage"]
    assert [(one["day"], one["route"], one["calls"]) for one in found] == [
        (str(today.date()), "prediction", 2),
        (str(today.date()), "predictions", 1),
        (str((today - timedelta(days=3)).date()), "prediction", 1),
    ]
    assert found[0] | {"day": None, "route": None, "calls": 0} == {
        "day": None, "route": None, "calls": 0, "errors": 0, "throttled": 0, "latency_avg_ms": 2.0,
        "latency_max_ms": 2.0, "bytes_out": 20,
    }  # fmt: skip
    assert len(profile(key(), "?days=1")["usage"]) == 2
    assert len(profile(key(), "?days=90")["usage"]) == 4


@pytest.mark.parametrize("query", ["days=0", "days=91", "days=x", "days=", "account=1", "days=1&days=2"])
def test_400_says_what_is_wrong_with_the_query(query: str) -> None:
    response = call("GET", f"/auth/profile?{query}", key())
    assert error(response) == (400, "INVALID_QUERY")
    assert pointers(response) == [f"/{query.split('=', maxsplit=1)[0]}"]
