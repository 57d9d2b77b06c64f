"""Who may read `/metrics`: those of METRICS_NETWORKS, and keys with the scope; nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from gateway_project import embedded
from gateway_project.config import ConfigurationError, load
from gateway_project.settings import BASE_DIR
from tests.integration import raw
from tests.integration.rest import assert_problem
from tests.people import add_key
from tests.stack import Stack

PROXY = {"TRUSTED_PROXIES": "127.0.0.1"}
STRANGER, WATCHER = {"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "10.1.2.3"}

Start = Callable[..., str]


@pytest.fixture(scope="module")
def start(stack: Stack) -> Iterator[Start]:
    """Starts a process with settings of its own, once for each; its URL."""
    found: dict[tuple[Any, ...], str] = {}
    with ExitStack() as held:

        def started(**settings: str) -> str:
            known = tuple(settings.items())
            if known not in found:
                port = embedded.free_port()
                before = dict(stack.environ)
                stack.environ |= settings
                process = stack.start("serve", "--port", str(port))
                stack.environ = before
                held.callback(process.wait, 30)
                held.callback(process.terminate)
                assert embedded.wait_until_listening(port, timeout_s=60)
                found[known] = f"http://127.0.0.1:{port}/metrics"
            return found[known]

        yield started


def test_200_for_this_machine_by_default(stack: Stack) -> None:
    answer = httpx.get(f"{stack.base_url}/metrics")
    assert answer.status_code == 200
    assert "pgw_build_info" in answer.text
    assert answer.headers["cache-control"].count("no-store")


def test_401_for_a_stranger_behind_a_proxy_of_ours(start: Start) -> None:
    answer = httpx.get(start(**PROXY), headers=STRANGER)
    assert_problem(answer, 401, "NOT_AUTHENTICATED")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_200_for_the_proxy_itself_and_for_who_it_says_is_a_watcher(start: Start) -> None:
    url = start(**PROXY, METRICS_NETWORKS="127.0.0.1,10.0.0.0/8")
    assert httpx.get(url).status_code == 200
    assert httpx.get(url, headers=WATCHER).status_code == 200
    assert_problem(httpx.get(url, headers=STRANGER), 401, "NOT_AUTHENTICATED")


def test_401_through_a_proxy_on_this_machine_that_nobody_has_told_us_of(stack: Stack) -> None:
    passed_on = [*({name: "x"} for name in ("Via", "Forwarded", "X-Real-IP", "X-Forwarded-Proto"))]
    for headers in (STRANGER, {"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-For": ""}, *passed_on):
        answer = httpx.get(f"{stack.base_url}/metrics", headers=headers)
        assert_problem(answer, 401, "NOT_AUTHENTICATED")


def test_401_through_one_that_says_nothing_but_the_host_that_was_asked_for(stack: Stack) -> None:
    for host, status in [("gateway.example", 401), ("127.0.0.1.example", 401), ("localhost:1", 200)]:
        assert httpx.get(f"{stack.base_url}/metrics", headers={"Host": host}).status_code == status


def test_401_through_one_that_says_nothing_and_speaks_http_1_0(stack: Stack) -> None:
    answer = raw.ask(stack, b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    assert (answer.status, b"pgw_" in answer.body) == (401, False)
    assert raw.get(stack, b"/metrics", host=b"[::1]:8000").status == 200


def test_without_networks_a_key_is_needed(stack: Stack, start: Start) -> None:
    url = start(METRICS_NETWORKS="")
    assert_problem(httpx.get(url), 401, "NOT_AUTHENTICATED")
    assert httpx.get(url, headers=add_key(stack, "pro", scopes='["metrics:read"]').header).status_code == 200


def test_the_scope_decides_for_those_from_elsewhere(stack: Stack, start: Start) -> None:
    url = start(**PROXY)
    with_scope = add_key(stack, "pro", scopes='["metrics:read"]').header
    answer = httpx.get(url, headers=with_scope | STRANGER)
    assert answer.status_code == 200
    assert "pgw_build_info" in answer.text
    without = add_key(stack, "enterprise", scopes='["predictions:read"]').header
    assert_problem(httpx.get(url, headers=without | STRANGER), 403, "SCOPE_MISSING")
    junk = httpx.get(url, headers={"X-API-Key": "junk"} | STRANGER)
    assert_problem(junk, 401, "INVALID_CREDENTIAL")


def test_a_key_without_the_scope_changes_nothing_for_a_watcher(stack: Stack) -> None:
    assert httpx.get(f"{stack.base_url}/metrics", headers={"X-API-Key": "junk"}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_405_for_what_does_not_read(stack: Stack, method: str) -> None:
    answer = httpx.request(method, f"{stack.base_url}/metrics")
    assert_problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert "pgw_" not in answer.text


@pytest.mark.parametrize("networks", ["10.0.0.1/8", "everybody", "10.0.0.0/8,x", "10.0.0.0/33"])
def test_networks_that_are_none_stop_the_start(networks: str) -> None:
    with pytest.raises(ConfigurationError, match=r"METRICS_NETWORKS .* write networks as 10\.0\.0\.0/8"):
        load(BASE_DIR, {"SECRET_KEY": "x", "METRICS_NETWORKS": networks, "DATABASE_URL": "sqlite:///x"})
