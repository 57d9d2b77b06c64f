"""Reads while stores go away: answers come from what is left, and the log tells each outage once."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import httpx

from accounts import keys
from tests.servers import Server
from tests.stack import Stack, event, eventually


def test_redis_stopped_and_started_under_reads_is_told_once_and_answers_come_from_postgres(
    own_stack: Stack, symbol: str, tmp_path: Path
) -> None:
    own_stack.log_path = tmp_path / "log"
    own_stack.start_bridge()
    own_stack.start_web()
    own_stack.publish(event(symbol, predicted_price=1.0))
    eventually(lambda: own_stack.read(symbol))
    tag = own_stack.get(f"/api/prediction/{symbol}").headers["etag"]

    own_stack.redis.kill()
    during = [own_stack.get(f"/api/prediction/{symbol}") for _ in range(60)]
    batch = own_stack.get(f"/api/predictions?symbols={symbol},ZZZZZ")
    own_stack.redis.start()
    # Redis has come back empty: a value that no process has in memory is read from the record and put back.
    whole = f"/api/prediction/{symbol}?include_features=true"
    eventually(lambda: own_stack.get(whole).status_code == 200 and _redis_has(own_stack, symbol))
    # The bridge may have put it back; the process that answers finds out when it asks Redis again.
    log_path = own_stack.log_path
    eventually(
        lambda: (
            own_stack.get(whole).status_code == 200
            and "Redis (newest values) is back" in log_path.read_text()
        )
    )

    assert {answer.status_code for answer in during} == {200}
    assert {answer.headers["etag"] for answer in during} == {tag}
    assert list(batch.json()["predictions"]) == [symbol]
    log = log_path.read_text()
    assert log.count("Redis (newest values) is unavailable") == 1
    assert log.count("Redis (newest values) is back") == 1
    assert "Traceback" not in log


def test_a_dead_redis_does_not_cost_every_request_its_timeout(own_stack: Stack, symbol: str) -> None:
    own_stack.start_bridge()
    own_stack.start_web()
    own_stack.publish(event(symbol))
    eventually(lambda: own_stack.read(symbol))
    own_stack.redis.freeze()
    try:
        own_stack.read(symbol)  # pays the time-out and finds out
        started = time.monotonic()
        with ThreadPoolExecutor(20) as callers:
            assert all(callers.map(own_stack.read, [symbol] * 20))
        # Nearly all go straight to Postgres; a few probe Redis for a second each, at the same time.
        assert time.monotonic() - started < 8
    finally:
        own_stack.redis.thaw()


def test_503_with_retry_after_where_no_store_is_reachable(
    stack_on_own_postgres: Stack, own_postgres: Server, symbol: str
) -> None:
    stack = stack_on_own_postgres
    stack.start_bridge()
    stack.start_web()
    stack.publish(event(symbol))
    eventually(lambda: stack.read(symbol))
    _check_without_postgres(stack, own_postgres, symbol)


def test_a_frozen_postgres_fills_the_queue_and_then_callers_are_told_to_come_back(
    stack_on_own_postgres: Stack, own_postgres: Server
) -> None:
    stack = stack_on_own_postgres
    stack.environ |= {"WORKER_THREADS": "1", "TRUSTED_PROXIES": "127.0.0.0/8"}
    stack.start_web()
    url = f"{stack.base_url}/api/prediction/ZZZZZ"
    # Each from an address of its own: one alone has a share of the queue only. Without a key: whether one is
    # good is looked up where the database has not been heard of for a second.
    crowd = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(100)]
    assert httpx.get(url).status_code == 404
    own_postgres.freeze()
    try:
        with ThreadPoolExecutor(100) as callers:
            asked = [callers.submit(httpx.get, url, headers=caller, timeout=60) for caller in crowd]
            answers = (one.result() for one in as_completed(asked))
            first = next(answer for answer in answers if answer.json()["error"] == "OVERLOADED")
            assert httpx.get(f"{stack.base_url}/health/live").status_code == 200
            own_postgres.thaw()
            statuses = {one.result().status_code for one in asked}
    finally:
        own_postgres.thaw()
    assert first.headers["retry-after"] == "1"
    assert statuses <= {404, 503}
    eventually(lambda: httpx.get(url).status_code == 404)


def _check_without_postgres(stack: Stack, postgres: Server, symbol: str) -> None:
    url = f"{stack.base_url}/api/prediction/{symbol}"
    postgres.kill()
    # The value is in Redis. A caller without a key needs no look-up, and a key that was good a moment ago is
    # let in; one that was never seen here cannot be checked.
    key, never_seen = {"X-API-Key": stack.key}, {"X-API-Key": keys.make_key(uuid.uuid4(), "live")}
    for headers in ({}, key):
        assert httpx.get(url, headers=headers, timeout=60).status_code == 200
    _assert_unavailable(httpx.get(url, headers=never_seen, timeout=60))
    _assert_unavailable(httpx.get(f"{url}/history", headers=key, timeout=60))
    assert httpx.get(f"{stack.base_url}/health/live").status_code == 200
    assert httpx.get(f"{stack.base_url}/health/ready", timeout=60).status_code == 503
    stack.redis.kill()
    # Bridges are not heard any more: what this process knows by itself is trusted for three seconds.
    _assert_unavailable(eventually(lambda: _unless_found(httpx.get(url, headers=key, timeout=60))))
    postgres.start()
    eventually(lambda: httpx.get(url, timeout=60).status_code == 200)


def _unless_found(response: httpx.Response) -> httpx.Response | None:
    return None if response.status_code == 200 else response


def _assert_unavailable(response: httpx.Response) -> None:
    assert response.status_code == 503
    assert response.json()["error"] == "STORE_UNAVAILABLE"
    assert int(response.headers["retry-after"]) == response.json()["retry_after"] > 0
    for leak in ("psycopg", "Traceback", "SELECT", "127.0.0.1"):
        assert leak not in response.text


def _redis_has(stack: Stack, symbol: str) -> bool:
    import redis

    with redis.Redis.from_url(stack.redis.url) as client:
        try:
            return bool(client.exists(f"pred:{symbol}"))
        except redis.ConnectionError:
            return False
