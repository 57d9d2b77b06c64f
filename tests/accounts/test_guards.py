"""How often a password may be tried: counted in a real Valkey, by address and name, and shut without it."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import redis
from django.core.cache.backends.redis import RedisCache
from django.http import HttpRequest
from django.test import RequestFactory
from pytest_django import Settings
from rest_framework.request import Request

from accounts import guards
from accounts.guards import GuardUnavailable, TooManyAttempts, guard
from observability.outages import Outage
from tests.servers import running_valkey


@pytest.fixture(autouse=True)
def clock(settings: Settings, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The Valkey of this process as the cache, no outage so far, and the clock that windows go by."""
    use(settings, settings.GATEWAY.redis_url)
    monkeypatch.setattr(guards, "_outage", Outage("the counter", retry_after_s=0))
    held = SimpleNamespace(now=1_767_225_600)
    monkeypatch.setattr("django_ratelimit.core.time", SimpleNamespace(time=lambda: held.now))
    return held


def use(settings: Settings, url: str) -> None:
    """Make the Redis at `url` the cache."""
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": url, "KEY_PREFIX": "pgw:guard"}}


def request_from(address: str) -> HttpRequest:
    """An attempt from `address`."""
    return RequestFactory().post("/auth/login", REMOTE_ADDR=address)


def is_let_in(address: str, name: str | None = None, *, group: str = "g", per_address: str = "6/m") -> bool:
    """True if an attempt from `address`, at `name`, is not too many; a name has 3 a minute."""
    try:
        guard(
            request_from(address),
            group=group,
            per_address=per_address,
            per_user=None if name is None else (name, "3/m"),
        )
    except TooManyAttempts:
        return False
    return True


def test_an_address_has_its_number_of_attempts_whatever_the_names() -> None:
    assert [is_let_in("203.0.113.7", f"user{number}") for number in range(8)] == [True] * 6 + [False] * 2
    assert is_let_in("203.0.113.8", "ann")


def test_a_name_has_its_number_of_attempts_whatever_the_addresses_and_the_case() -> None:
    names = ["ann", "Ann ", "\u3000ANN", "\uff41nn"]  # the admin's form takes all of these for one
    assert [is_let_in(f"203.0.113.{i}", name) for i, name in enumerate(names)] == [True, True, True, False]
    assert is_let_in("203.0.113.1", "bob")


def test_what_the_address_may_not_try_is_not_counted_against_the_name() -> None:
    for _ in range(9):
        is_let_in("203.0.113.7", per_address="2/m")
    for _ in range(9):
        assert not is_let_in("203.0.113.7", "ann", per_address="2/m")
    assert is_let_in("203.0.113.8", "ann")


def test_the_addresses_of_one_ipv6_network_count_together() -> None:
    assert [is_let_in(f"2001:db8:0:1:{i}::1", per_address="2/m") for i in range(3)] == [True, True, False]
    assert is_let_in("2001:db8:0:2::1", per_address="2/m")


def test_an_ipv4_address_written_as_ipv6_is_the_same_one() -> None:
    assert is_let_in("203.0.113.7", per_address="1/m")
    assert not is_let_in("::ffff:203.0.113.7", per_address="1/m")


@pytest.mark.parametrize("address", ["", "unknown", "no address"])
def test_peers_without_an_address_count_together(address: str) -> None:
    assert is_let_in("unknown", per_address="1/m")
    assert not is_let_in(address, per_address="1/m")


def test_groups_count_apart() -> None:
    assert is_let_in("203.0.113.7", per_address="1/m")
    assert is_let_in("203.0.113.7", group="other", per_address="1/m")


def test_the_refusal_says_when_the_window_ends_and_then_it_opens(clock: SimpleNamespace) -> None:
    assert is_let_in("203.0.113.7", per_address="1/m")
    with pytest.raises(TooManyAttempts) as refused:
        guard(request_from("203.0.113.7"), group="g", per_address="1/m")
    assert 1 <= refused.value.retry_after_s <= 60
    assert (refused.value.status_code, refused.value.get_codes()) == (429, "too_many_attempts")
    clock.now += refused.value.retry_after_s + 1
    assert is_let_in("203.0.113.7", per_address="1/m")


def test_who_comes_in_the_last_moment_of_a_window_is_told_to_wait_a_second(clock: SimpleNamespace) -> None:
    waits = set()
    for _ in range(60):
        clock.now += 1
        with pytest.raises(TooManyAttempts) as refused:
            guard(request_from("203.0.113.7"), group="g", per_address="0/m")
        waits.add(refused.value.retry_after_s)
    assert waits == set(range(1, 60))


def test_requests_of_drf_and_of_django_count_together() -> None:
    guard(Request(request_from("203.0.113.7")), group="g", per_address="1/m")
    assert not is_let_in("203.0.113.7", per_address="1/m")


def test_the_store_learns_no_names_and_forgets_its_counts(redis_client: redis.Redis) -> None:
    assert is_let_in("203.0.113.7", "a-mistyped-password")
    keys = list(redis_client.scan_iter())
    assert len(keys) == 2
    for key in keys:
        assert key.startswith(b"pgw:guard:1:rl:")
        assert b"mistyped" not in key + redis_client.get(key)
        assert 0 < redis_client.ttl(key) <= 65


def test_half_a_surrogate_pair_in_a_name_is_counted_like_any_other() -> None:
    assert [is_let_in("203.0.113.7", "\ud800") for _ in range(4)] == [True, True, True, False]


def test_a_guard_that_cannot_count_stays_shut_and_says_so_once(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with running_valkey() as server:
        use(settings, server.url)
        assert is_let_in("203.0.113.7")
        server.kill()
        for _ in range(3):
            with pytest.raises(GuardUnavailable) as refused:
                is_let_in("203.0.113.7")
            assert (refused.value.status_code, refused.value.get_codes()) == (503, "store_unavailable")
            assert refused.value.retry_after_s == 2
        server.start()
        assert is_let_in("203.0.113.7")
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 2
    assert lines[0].startswith("the counter is unavailable")
    assert lines[1].startswith("the counter is back after")


def test_between_two_probes_nobody_waits_for_a_dead_store(monkeypatch: pytest.MonkeyPatch) -> None:
    outage = Outage("the counter", retry_after_s=3600)
    outage.failed(redis.ConnectionError("gone"))
    monkeypatch.setattr(guards, "_outage", outage)
    monkeypatch.setattr(guards, "get_usage", lambda *_, **__: pytest.fail("it was asked"))
    with pytest.raises(GuardUnavailable):
        is_let_in("203.0.113.7")


def test_a_counter_that_vanishes_between_two_commands_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_let_in("203.0.113.7")

    def vanish(cache: RedisCache, key: str) -> int:
        raise ValueError(f"Key {key!r} not found")

    monkeypatch.setattr(RedisCache, "incr", vanish)
    with pytest.raises(GuardUnavailable):
        is_let_in("203.0.113.7")


def test_the_guard_can_be_switched_off(settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False
    assert all(is_let_in("203.0.113.7", "ann", per_address="1/m") for _ in range(5))
