"""Where these tests get the metrics, the alerts, the dashboards and promtool from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gateway_project import embedded
from tests import programs
from tests.conftest import make_stack
from tests.deploy import expressions
from tests.people import add_key, add_tier
from tests.stack import Stack, event, eventually, receive

SYMBOL = "SEEN"


@pytest.fixture(scope="session")
def exposed_texts(postgres_url: str) -> Iterator[dict[str, str]]:
    """What ``/metrics`` of each role says, after a little of everything that is counted has happened."""
    with contextlib.ExitStack() as held:
        stack = make_stack(held, postgres_url)
        urls = _start(stack)
        _let_things_happen(stack)
        wanted = expressions.series_of().keys() - expressions.CONDITIONAL
        with contextlib.suppress(AssertionError):  # the tests say what is missing
            eventually(lambda: wanted <= expressions.names_in(*_read(urls).values()))
        yield _read(urls)


@pytest.fixture(scope="session")
def exposed(exposed_texts: Mapping[str, str]) -> expressions.Exposed:
    """The same of all roles together."""
    return expressions.read(*exposed_texts.values())


@pytest.fixture(scope="session")
def live_metrics(exposed: expressions.Exposed) -> set[str]:
    """Every series that a running gateway has: panels and alerts may ask for nothing else."""
    return {*exposed.labels, *expressions.CONDITIONAL}


@pytest.fixture(scope="session")
def promtool() -> str:
    """Where promtool is; without it these tests are skipped by hand, and fail in CI."""
    return programs.find("promtool", "prometheus")


def _start(stack: Stack) -> dict[str, str]:
    """A process of each role; returns where each answers."""
    ports = {}
    for role, start in (("bridge", stack.start_bridge_at_once), ("worker", stack.start_worker)):
        ports[role] = embedded.free_port()
        stack.environ["OPS_PORT"] = str(ports[role])
        start()
    stack.start_web()
    assert all(embedded.wait_until_listening(port, timeout_s=60) for port in ports.values())
    return {"web": stack.base_url} | {role: f"http://127.0.0.1:{port}" for role, port in ports.items()}


def _let_things_happen(stack: Stack) -> None:
    """An update; reads with a good key, a spent and a bad one; an explanation; a socket that is refused."""
    url, junk = f"{stack.base_url}/api/prediction/{SYMBOL}", {"X-API-Key": "junk"}
    stack.publish(event(SYMBOL))
    eventually(lambda: stack.read(SYMBOL))
    limited = add_key(stack, add_tier(stack, ("small", "account", 1, 3600, None))).header
    assert [httpx.get(url, headers=limited).status_code for _ in range(2)] == [200, 429]
    assert httpx.get(url, headers=junk).status_code == 401
    ordered = httpx.post(
        f"{stack.base_url}/api/explanation/{SYMBOL}",
        json={"depth": "fast"},
        headers={"X-API-Key": stack.key, "Prefer": "wait=20"},
        timeout=60,
    )
    assert ordered.status_code == 200, ordered.text
    with connect(stack.socket_url, additional_headers=junk, close_timeout=1) as refused:
        assert receive(refused)["type"] == "error"
        with pytest.raises(ConnectionClosed):
            refused.recv(timeout=60)


def _read(urls: Mapping[str, str]) -> dict[str, str]:
    return {
        role: httpx.get(f"{url}/metrics", timeout=60).raise_for_status().text for role, url in urls.items()
    }
