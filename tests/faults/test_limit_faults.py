"""Limits, usage and keys while Redis or the database is away: each tier's policy, and no count is lost."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.people import Key, add_key, add_tier
from tests.servers import Server
from tests.stack import Stack, event, eventually

HOUR = 3600


@pytest.fixture
def served(own_stack: Stack, symbol: str, tmp_path: Path) -> tuple[Stack, str]:
    """A stack with a log, and a path whose prediction is in the database and in Redis."""
    own_stack.log_path = tmp_path / "log"
    own_stack.environ["USAGE_FLUSH_S"] = "0.2"
    own_stack.start_bridge()
    own_stack.start_web()
    own_stack.publish(event(symbol))
    eventually(lambda: own_stack.read(symbol))
    return own_stack, f"/api/prediction/{symbol}"


def statuses(stack: Stack, path: str, key: Key | None, times: int) -> list[int]:
    """The statuses of calls one after the other."""
    headers = key.header if key else {}
    return [httpx.get(stack.base_url + path, headers=headers, timeout=60).status_code for _ in range(times)]


def test_without_redis_the_policy_of_the_tier_decides(served: tuple[Stack, str]) -> None:
    stack, path = served
    limit = ("hourly", "account", 5, HOUR, None)
    local, open_, closed = (
        add_key(stack, add_tier(stack, limit, redis_down=policy)) for policy in ("local", "open", "closed")
    )
    unlimited = add_key(stack, "enterprise")
    for key in (local, open_, closed, unlimited):
        assert statuses(stack, path, key, 1) == [200]
    stack.redis.kill()
    assert statuses(stack, path, local, 8) == [200] * 5 + [429] * 3
    assert statuses(stack, path, open_, 8) == [200] * 8
    assert statuses(stack, path, closed, 2) == [503] * 2
    assert statuses(stack, path, unlimited, 3) == [200] * 3
    assert statuses(stack, path, None, 12) == [200] * 10 + [429] * 2
    refused = httpx.get(stack.base_url + path, headers=closed.header)
    assert (refused.json()["error"], refused.headers["retry-after"]) == ("STORE_UNAVAILABLE", "2")
    told = httpx.get(stack.base_url + path, headers=open_.header).headers
    assert not [name for name in told if "ratelimit" in name]  # what is not known is not told
    stack.redis.start()
    # Redis has come back empty and counts from the start.
    eventually(lambda: statuses(stack, path, closed, 1) == [200])
    log_path = stack.log_path
    assert log_path is not None
    eventually(lambda: "Redis (limits) is back" in log_path.read_text())
    log = log_path.read_text()
    assert log.count("Redis (limits) is unavailable") == 1
    assert log.count("Redis (limits) is back") == 1
    assert "Traceback" not in log


def test_attempts_at_a_login_are_refused_while_they_cannot_be_counted(served: tuple[Stack, str]) -> None:
    stack, _ = served
    stack.redis.kill()
    body = {"username": "ann", "password": "x"}
    answer = httpx.post(f"{stack.base_url}/auth/login", json=body, timeout=60)
    assert (answer.status_code, answer.json()["error"]) == (503, "STORE_UNAVAILABLE")


def test_usage_is_written_when_the_database_is_back(
    stack_on_own_postgres: Stack, own_postgres: Server, symbol: str
) -> None:
    stack = stack_on_own_postgres
    stack.environ["USAGE_FLUSH_S"] = "0.2"
    stack.start_bridge()
    stack.start_web()
    key = add_key(stack, "enterprise")
    stack.publish(event(symbol))
    path = f"/api/prediction/{symbol}"
    eventually(lambda: statuses(stack, path, key, 1) == [200])
    before = calls_of(stack, key, at_least=1)
    own_postgres.kill()
    assert statuses(stack, path, key, 20) == [200] * 20
    own_postgres.start()
    assert calls_of(stack, key, at_least=before + 20) == before + 20


def calls_of(stack: Stack, key: Key, *, at_least: int) -> int:
    """The calls of `key` that were answered with 200, once there are enough."""

    def count() -> int:
        query = (
            "SELECT coalesce(sum(calls), 0) FROM accounts_usagehour WHERE key_id = %s AND status_class = 2"
        )
        found = int(stack.rows(query, key.id)[0][0])
        return found if found >= at_least else 0

    return eventually(count)


def test_a_key_that_is_revoked_while_a_process_was_cut_off_is_refused_when_it_is_back(
    stack_on_own_postgres: Stack, own_postgres: Server
) -> None:
    stack = stack_on_own_postgres
    stack.start_web()
    key = add_key(stack, "enterprise")
    assert statuses(stack, "/api/prediction/ZZZZZ", key, 1) == [404]
    own_postgres.kill()
    assert statuses(stack, "/auth/ws-ticket", key, 1) == [405]  # let in, by what was known last
    own_postgres.start()
    stack.execute("UPDATE api_keys SET revoked_at = now() WHERE id = %s", key.id)
    eventually(lambda: statuses(stack, "/auth/ws-ticket", key, 1) == [401], timeout_s=60)
