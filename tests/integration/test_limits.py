"""Limits over HTTP, on up to four real server processes: exact, not to be bought off, told as promised."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import redis

from accounts import keys
from gateway_project import embedded
from tests.conftest import make_stack
from tests.integration.rest import PROBLEM, assert_problem
from tests.people import Key, add_key, add_tier, add_user, bearer, log_in
from tests.servers import Server
from tests.stack import Stack, event, eventually

HOUR = 3600
CALLERS = 50
Headers = dict[str, str]


@pytest.fixture(scope="module")
def fleet(postgres_url: str) -> Iterator[tuple[Stack, list[str]]]:
    """One gateway with four server processes, and their addresses."""
    with contextlib.ExitStack() as held:
        stack = make_stack(held, postgres_url)
        stack.execute("UPDATE accounts_tier SET when_redis_is_down = 'closed' WHERE name = 'anonymous'")
        stack.start_bridge()
        stack.start_web()
        urls = [stack.base_url]
        for _ in range(3):
            port = embedded.free_port()
            stack.start("serve", "--port", str(port))
            assert embedded.wait_until_listening(port, timeout_s=60)
            urls.append(f"http://127.0.0.1:{port}")
        stack.publish(event("AAPL"))
        eventually(lambda: stack.read("AAPL"))
        yield stack, urls


def call_in_parallel(
    urls: Sequence[str], total: int, headers: Callable[[int], Headers], path: str = "/api/prediction/AAPL"
) -> list[int]:
    """The statuses of `total` calls by `CALLERS` callers at once; call n has `headers(n)`."""
    numbers = itertools.count()

    def run(caller: int) -> list[int]:
        place = urlsplit(urls[caller % len(urls)])
        found = []
        with contextlib.closing(http.client.HTTPConnection(place.hostname or "", place.port)) as connection:
            while (number := next(numbers)) < total:
                connection.request("GET", path, headers=headers(number))
                answer = connection.getresponse()
                answer.read()
                found.append(answer.status)
        return found

    with ThreadPoolExecutor(CALLERS) as callers:
        return [status for statuses in callers.map(run, range(CALLERS)) for status in statuses]


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("quota", [10, 100, 1000])
def test_as_many_are_admitted_as_the_limit_says_and_not_one_more(
    fleet: tuple[Stack, list[str]], processes: int, quota: int
) -> None:
    stack, urls = fleet
    # Closed: a Redis that is too slow on a busy machine must not let anybody count for itself.
    tier = add_tier(stack, ("hourly", "account", quota, HOUR, None), redis_down="closed")
    key = add_key(stack, tier)
    statuses = call_in_parallel(urls[:processes], quota + 2 * CALLERS, lambda _: key.header)
    # Who got no answer from Redis in time may have been counted; without such, the numbers are exact.
    unanswered = statuses.count(503)
    assert quota - unanswered <= statuses.count(200) <= quota
    assert 2 * CALLERS - unanswered <= statuses.count(429) <= 2 * CALLERS


def test_nothing_that_a_caller_can_vary_buys_a_call(fleet: tuple[Stack, list[str]]) -> None:
    stack, urls = fleet
    tier = add_tier(stack, ("hourly", "account", 20, HOUR, None), redis_down="closed")
    first = add_key(stack, tier)
    second = add_key(stack, tier, account=first.account_id)
    on_another_tier = add_key(
        stack,
        add_tier(stack, ("hourly", "account", 20, HOUR, None), redis_down="closed"),
        account=first.account_id,
    )
    pair = log_in(stack, add_user(stack, account=first.account_id))
    rotated = httpx.post(f"{urls[0]}/auth/rotate-key", headers=first.header, json={"overlap": "1h"})
    assert rotated.status_code == 201, rotated.text
    ways: list[Headers] = [
        first.header,
        second.header,
        on_another_tier.header,
        {"X-API-Key": rotated.json()["key"]},
        bearer(pair),
        {**first.header, **bearer(pair)},
        {"Authorization": f"Bearer {second.secret}"},
    ]

    def vary(number: int) -> Headers:
        forged = f"198.51.100.{number % 250}"
        return {
            **ways[number % len(ways)],
            "X-Forwarded-For": forged,
            "X-Real-IP": forged,
            "Forwarded": forged,
        }

    statuses = call_in_parallel(urls, 20 + 2 * CALLERS, vary)
    assert 20 - statuses.count(503) <= statuses.count(200) <= 20
    assert statuses.count(429) >= 2 * CALLERS - statuses.count(503)


def test_callers_without_a_credential_get_ten_an_hour_whatever_address_they_claim(
    fleet: tuple[Stack, list[str]],
) -> None:
    _, urls = fleet
    statuses = call_in_parallel(
        urls, 60, lambda n: {"X-Forwarded-For": f"198.51.100.{n}", "X-Real-IP": f"{n}.1.1.1"}
    )
    assert 10 - statuses.count(503) <= statuses.count(200) <= 10


def test_behind_a_trusted_proxy_the_hop_that_it_has_seen_counts(fleet: tuple[Stack, list[str]]) -> None:
    stack, _ = fleet
    url = _start_one_more(stack, TRUSTED_PROXIES="127.0.0.0/8")
    statuses = call_in_parallel([url], 30, lambda n: {"X-Forwarded-For": f"10.0.0.{n}, 203.0.113.50"})
    assert 10 - statuses.count(503) <= statuses.count(200) <= 10
    other = httpx.get(f"{url}/api/prediction/AAPL", headers={"X-Forwarded-For": "203.0.113.51"})
    assert other.status_code == 200


def _start_one_more(stack: Stack, **environ: str) -> str:
    port = embedded.free_port()
    before = dict(stack.environ)
    stack.environ.update(environ)
    stack.start("serve", "--port", str(port))
    stack.environ = before
    assert embedded.wait_until_listening(port, timeout_s=60)
    return f"http://127.0.0.1:{port}"


def test_429_has_the_promised_headers_and_body(fleet: tuple[Stack, list[str]]) -> None:
    stack, _ = fleet
    tier = add_tier(stack, ("hourly", "account", 1, HOUR, None), ("burst", "account", 10, 1, 50))
    key = add_key(stack, tier)
    first, second = (_get(stack, key) for _ in range(2))
    assert first.headers["x-ratelimit-limit"] == "1"
    assert first.headers["x-ratelimit-remaining"] == "0"
    assert first.headers["ratelimit-policy"] == '"hourly";q=1;w=3600, "burst";q=50;w=5'
    assert first.headers["ratelimit"].startswith('"hourly";r=0;t=3600, "burst";r=49;t=1')
    assert "retry-after" not in first.headers
    body = assert_problem_of(second)
    assert body["violated-policies"] == ["hourly"]
    assert int(second.headers["retry-after"]) == body["retry_after"] <= 3600
    assert "'hourly' of 1 calls per 3600 s" in body["detail"]


def assert_problem_of(response: httpx.Response) -> dict[str, Any]:
    """The body of a 429, whose type is the one that IANA has registered."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["error"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert response.headers["content-type"] == PROBLEM
    assert body["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def _get(stack: Stack, key: Key, path: str = "/api/prediction/AAPL", **headers: str) -> httpx.Response:
    return httpx.get(stack.base_url + path, headers={**key.header, **headers})


def test_304_costs_nothing_and_says_so(fleet: tuple[Stack, list[str]]) -> None:
    stack, _ = fleet
    key = add_key(
        stack, add_tier(stack, ("hourly", "account", 3, HOUR, None), ("burst", "account", 1, HOUR, 3))
    )
    tag = _get(stack, key).headers["etag"]
    for _ in range(5):
        unchanged = _get(stack, key, **{"If-None-Match": tag})
        assert unchanged.status_code == 304
        assert unchanged.headers["x-ratelimit-remaining"] == "2"
    assert [_get(stack, key).status_code for _ in range(3)] == [200, 200, 429]


def test_an_unlimited_tier_sends_no_headers_of_limits(fleet: tuple[Stack, list[str]]) -> None:
    stack, _ = fleet
    answer = _get(stack, add_key(stack, "enterprise"))
    assert answer.status_code == 200
    assert not [name for name in answer.headers if "ratelimit" in name]


def test_the_seeded_tiers_are_what_the_contract_says(fleet: tuple[Stack, list[str]]) -> None:
    stack, urls = fleet
    policies = {
        "free": '"hourly";q=100;w=3600, "burst";q=50;w=5',
        "pro": '"hourly";q=1000;w=3600, "burst";q=250;w=5',
    }
    for tier, policy in policies.items():
        assert _get(stack, add_key(stack, tier)).headers["ratelimit-policy"] == policy
    anonymous = httpx.get(f"{urls[1]}/api/prediction/AAPL")
    assert anonymous.headers["ratelimit-policy"] == '"hourly";q=10;w=3600'


def test_a_row_for_a_route_and_a_global_row_hold_within_a_second(fleet: tuple[Stack, list[str]]) -> None:
    stack, _ = fleet
    key = add_key(stack, "enterprise")
    try:
        stack.execute(
            "INSERT INTO accounts_limit (route, name, scope, quota, window_s) VALUES "
            "('predictions', 'batches', 'account', 1, 3600), ('', 'everyone', 'global', 100000, 3600)"
        )
        eventually(lambda: "everyone" in _get(stack, key).headers.get("ratelimit-policy", ""), timeout_s=1.0)
        path = "/api/predictions?symbols=AAPL"
        assert [_get(stack, key, path).status_code for _ in range(2)] == [200, 429]
        assert _get(stack, key).status_code == 200
    finally:
        stack.execute("DELETE FROM accounts_limit WHERE tier_id IS NULL")
    eventually(lambda: "ratelimit-policy" not in _get(stack, key).headers, timeout_s=1.0)


def test_a_limited_call_is_one_round_trip_to_redis_and_an_unlimited_one_none(
    fleet: tuple[Stack, list[str]],
) -> None:
    stack, _ = fleet
    limited, unlimited = add_key(stack, "pro"), add_key(stack, "enterprise")
    for key in (limited, unlimited):
        assert _get(stack, key).status_code == 200  # connections and scripts are there
    with redis.Redis.from_url(stack.redis.url) as client:
        assert _count_of_limits(client, lambda: [_get(stack, limited) for _ in range(5)]) == ["EVALSHA"] * 5
        assert _count_of_limits(client, lambda: [_get(stack, unlimited) for _ in range(5)]) == []


def _count_of_limits(client: redis.Redis, act: Callable[[], object]) -> list[str]:
    """The commands that the connections of the limits send to Redis while `act` runs."""
    ports = {
        one["addr"].rpartition(":")[2]
        for one in client.client_list()
        if one["name"] == "prediction-gateway-limits"
    }
    assert ports
    with client.monitor() as monitor:  # type: ignore[no-untyped-call]
        act()
        client.echo("the end")
        seen: list[str] = []
        for command in monitor.listen():
            if "the end" in command["command"]:
                return seen
            if command["client_type"] == "tcp" and command["client_port"] in ports:
                seen.append(command["command"].split()[0].upper())
    return seen


def test_401_for_a_wrong_checksum_needs_neither_database_nor_redis(own_postgres: Server) -> None:
    with contextlib.ExitStack() as held:
        stack = make_stack(held, own_postgres.url)
        stack.start_web()
        assert stack.get("/api/prediction/AAPL").status_code == 404
        wrong = stack.key[:-1] + ("0" if stack.key[-1] != "0" else "1")
        with pytest.raises(keys.WrongChecksum):
            keys.parse_key(wrong)
        own_postgres.freeze()
        stack.redis.freeze()
        try:
            answer = stack.get("/api/prediction/AAPL", **{"X-API-Key": wrong})
        finally:
            stack.redis.thaw()
            own_postgres.thaw()
        assert_problem(answer, 401, "INVALID_CREDENTIAL")
        assert answer.elapsed.total_seconds() < 0.5


def test_429_for_calls_that_cost_nothing_but_come_too_fast(fleet: tuple[Stack, list[str]]) -> None:
    stack, urls = fleet
    key = add_key(stack, "enterprise")
    statuses = call_in_parallel(urls[:1], 400, lambda _: key.header, path="/auth/keys")
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 100
    refused = eventually(lambda: _refusal_of_free_call(stack, key), timeout_s=90)
    assert (refused.json()["error"], refused.headers["retry-after"]) == ("TOO_MANY_ATTEMPTS", "1")
    assert _get(stack, key).status_code == 200


def _refusal_of_free_call(stack: Stack, key: Key) -> httpx.Response | None:
    """One of those that come while many others do."""
    with ThreadPoolExecutor(1) as others:
        many = others.submit(call_in_parallel, [stack.base_url], 300, lambda _: key.header, path="/auth/keys")
        while not many.done():
            answer = _get(stack, key, "/auth/keys")
            if answer.status_code == 429:
                return answer
    return None


def test_429_for_an_address_that_guesses_keys(fleet: tuple[Stack, list[str]]) -> None:
    stack, _ = fleet
    url = _start_one_more(stack)
    statuses = call_in_parallel([url], 400, lambda _: {"X-API-Key": keys.make_key(uuid.uuid4(), "live")})
    assert 300 <= statuses.count(401) <= 300 + CALLERS  # those that were under way when the last one counted
    assert statuses.count(429) == 400 - statuses.count(401)
    good = add_key(stack, "enterprise")
    path = f"{url}/api/prediction/AAPL"
    assert httpx.get(path, headers=good.header).status_code == 429  # not known here yet, so it has to wait
    assert httpx.get(path).status_code in (200, 429)
