"""What every probe answers while each of the dependencies is up or away, for every role."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import httpx

from gateway_project import embedded
from tests.servers import Server
from tests.stack import Stack, event, eventually

RECOVERS_WITHIN_S = 10.0

# /health/live, /health/ready of web, of ws, of bridge, of worker; /health of web and its word.
Expected = tuple[int, int, int, int, int, int, str]
TABLE: dict[str, Expected] = {
    "all up": (200, 200, 200, 200, 200, 200, "healthy"),
    "redis": (200, 200, 503, 200, 200, 200, "degraded"),
    "database": (200, 503, 503, 503, 200, 503, "unhealthy"),
    "nats": (200, 200, 200, 503, 503, 200, "degraded"),
}


class Roles:
    """A process of each role, and where it answers its probes."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.urls: dict[str, str] = {}
        for role in ("web", "ws"):
            stack.environ["GATEWAY_ROLE"] = role
            stack.start_web()
            self.urls[role] = stack.base_url
        stack.base_url = self.urls["web"]
        self.bridge = self._start("bridge", stack.start_bridge_at_once)
        self._start("worker", stack.start_worker)

    def _start(self, role: str, start: Callable[[], object]) -> object:
        port = embedded.free_port()
        self._stack.environ["OPS_PORT"] = str(port)
        process = start()
        assert embedded.wait_until_listening(port, timeout_s=60)
        self.urls[role] = f"http://127.0.0.1:{port}"
        return process

    def ask(self, role: str, path: str) -> httpx.Response:
        """The answer of a process of `role`."""
        return httpx.get(self.urls[role] + path, timeout=60)

    def answers(self) -> Expected:
        """A row of `TABLE`, as it is now."""
        live = {self.ask(role, "/health/live").status_code for role in self.urls}
        assert len(live) == 1, live
        ready = [self.ask(role, "/health/ready").status_code for role in ("web", "ws", "bridge", "worker")]
        health = self.ask("web", "/health")
        return (live.pop(), *ready, health.status_code, health.json()["status"])


def test_every_probe_of_every_role_tells_what_is_away(
    stack_on_own_postgres: Stack, own_postgres: Server, symbol: str
) -> None:
    stack = stack_on_own_postgres
    roles = Roles(stack)
    stack.publish(event(symbol))
    eventually(lambda: stack.read(symbol))
    servers = {"redis": stack.redis, "database": own_postgres, "nats": stack.nats}
    _comes_to(roles, "all up")
    for name, server in servers.items():
        server.kill()
        _comes_to(roles, name)
        told = roles.ask("web", "/health").json()["dependencies"][name]
        assert told["status"] == "down"
        assert told["detail"]
        assert told["last_success"]
        assert not any(secret in str(told) for secret in ("://", "127.0.0.1", "postgres:"))
        server.start()
        _comes_to(roles, "all up")


def test_a_bridge_that_is_away_degrades_and_a_problem_says_why_a_process_is_not_ready(
    own_stack: Stack, symbol: str
) -> None:
    stack = own_stack
    bridge = stack.start_bridge()
    stack.start_web()
    stack.publish(event(symbol))
    eventually(lambda: stack.read(symbol))
    eventually(lambda: _health(stack)["status"] == "healthy")
    bridge.kill()
    eventually(lambda: _health(stack)["status"] == "degraded")
    assert _health(stack)["dependencies"]["bridge"] == {
        **_health(stack)["dependencies"]["bridge"],
        "status": "down",
        "critical": False,
        "detail": "no bridge was heard for three seconds",
    }
    for alias in ("/readiness", "/health/readiness"):
        assert httpx.get(stack.base_url + alias).json() == {"status": "ready"}
    for alias in ("/liveness", "/health/liveness"):
        assert httpx.get(stack.base_url + alias).json() == {"status": "alive"}
    assert httpx.get(f"{stack.base_url}/liveness").json() == {"status": "alive"}


def test_a_storm_of_probes_asks_each_dependency_once_a_second(own_stack: Stack) -> None:
    stack = own_stack
    stack.start_web()
    with httpx.Client(base_url=stack.base_url) as client:
        successes = {
            client.get("/health").json()["dependencies"]["database"]["last_success"] for _ in range(100)
        }
    assert 1 <= len(successes) <= 5


def _comes_to(roles: Roles, row: str) -> None:
    eventually(functools.partial(_is, roles, row), timeout_s=RECOVERS_WITHIN_S + 10)


def _is(roles: Roles, row: str) -> bool:
    return roles.answers() == TABLE[row]


def _health(stack: Stack) -> dict[str, Any]:
    body: dict[str, Any] = httpx.get(f"{stack.base_url}/health").json()
    return body
