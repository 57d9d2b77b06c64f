"""The logs of real processes: JSON, a line for each request and socket, one request id all the way."""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.conftest import make_stack
from tests.integration.rest import order_explanation
from tests.people import Key, add_key
from tests.stack import Stack, event, eventually


class Logs:
    """A gateway with a worker, and what each of its processes writes to stderr."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        stack.environ |= {"ACCESS_LOG": "true"}
        self._folder = folder
        for name, start in (
            ("bridge", stack.start_bridge),
            ("worker", stack.start_worker),
            ("web", stack.start_web),
        ):
            stack.log_path = folder / name
            start()

    def lines(self, process: str, request_id: str = "", **fields: Any) -> list[dict[str, Any]]:
        """Lines of web, bridge or worker with these fields; all of its lines are JSON."""
        # The last one may be under way.
        text = (self._folder / process).read_text().rpartition("\n")[0]
        told = [json.loads(line) for line in text.splitlines()]
        wanted = fields | ({"request_id": request_id} if request_id else {})
        return [line for line in told if wanted.items() <= line.items()]


@pytest.fixture(scope="module")
def logs(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logs]:
    """Processes with a log of their own each."""
    with contextlib.ExitStack() as held:
        yield Logs(make_stack(held, postgres_url), tmp_path_factory.mktemp("logs"))


@pytest.fixture
def key(logs: Logs) -> Key:
    """A key of an account of its own."""
    return add_key(logs.stack, "enterprise")


@pytest.fixture
def predicted(logs: Logs, symbol: str) -> str:
    """A symbol with one prediction."""
    logs.stack.publish(event(symbol, features={"momentum_21d": 0.04}))
    eventually(lambda: logs.stack.read(symbol))
    return symbol


def test_the_request_id_of_an_order_is_in_the_lines_of_web_worker_and_bridge(
    logs: Logs, key: Key, predicted: str
) -> None:
    request_id = "order-of-the-log-test"
    headers = {"X-Request-ID": request_id, "Prefer": "wait=30"}
    answer = order_explanation(logs.stack, key, predicted, "fast", **headers)
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, request_id)
    for process, told in (
        ("web", r"job [\w-]+: ordered"),
        ("worker", r"job [\w-]+: explained"),
        ("bridge", r"job [\w-]+: done is recorded and told"),
    ):
        lines = eventually(functools.partial(logs.lines, process, request_id))
        assert any(re.match(told, line["event"]) for line in lines), lines
    (line,) = eventually(lambda: logs.lines("web", request_id, logger="access"))
    assert (line["method"], line["route"], line["status"]) == ("POST", "explanation", 200)
    assert (line["key"], line["bytes_in"]) == (key.public_id, len('{"depth":"fast"}'))
    rows = logs.stack.rows("SELECT 1 FROM explanations_computation WHERE request_id = %s", request_id)
    assert len(rows) == 1


def test_a_read_is_told_on_the_hot_way_and_at_the_rim(logs: Logs, key: Key, predicted: str) -> None:
    path = f"/api/prediction/{predicted}"
    for request_id, headers in (("hot-way-1", {}), ("at-the-rim-1", {"Cookie": "sessionid=x"})):
        sent = {**key.header, **headers, "X-Request-ID": request_id, "User-Agent": "reader/1"}
        answer = httpx.get(f"{logs.stack.base_url}{path}?include_features=false", headers=sent)
        assert answer.status_code == 200
        (line,) = eventually(functools.partial(logs.lines, "web", request_id, logger="access"))
        assert (line["path"], line["route"], line["key"]) == (path, "prediction", key.public_id)
        assert (line["tier"], line["address"], line["user_agent"]) == ("enterprise", "127.0.0.1", "reader/1")
        assert line["bytes_out"] > 100
        assert 0 < line["duration_ms"] < 10_000


def test_a_refused_request_is_told_and_a_probe_is_not(logs: Logs) -> None:
    base_url = logs.stack.base_url
    assert httpx.get(f"{base_url}/health/live", headers={"X-Request-ID": "a-probe-1"}).status_code == 200
    answer = httpx.get(f"{base_url}/auth/keys", headers={"X-Request-ID": "a-stranger-1"})
    assert answer.status_code == 401
    (line,) = eventually(lambda: logs.lines("web", "a-stranger-1"))
    assert (line["status"], line["key"], line["tier"]) == (401, None, "anonymous")
    assert logs.lines("web", "a-probe-1") == []


def test_a_socket_is_told_at_its_end_with_the_id_of_its_handshake(logs: Logs, key: Key) -> None:
    headers = {**key.header, "X-Request-ID": "a-socket-1"}
    with connect(logs.stack.socket_url, additional_headers=headers, close_timeout=1) as socket:
        assert socket.response is not None
        assert socket.response.headers["x-request-id"] == "a-socket-1"
        connection = json.loads(socket.recv(timeout=60))["connection_id"]
    (line,) = eventually(lambda: logs.lines("web", "a-socket-1", event="socket"))
    assert (line["connection"], line["key"], line["code"]) == (connection, key.public_id, 1000)
    assert [line["logger"] for line in logs.lines("web", "a-socket-1")] == ["realtime.consumers", "access"]


def test_a_dead_letter_is_told_with_the_id_that_its_message_bore(logs: Logs) -> None:
    logs.stack.publish(b"junk")
    (line,) = eventually(lambda: logs.lines("bridge", logger="events.dead_letters"))
    assert line["level"] == "warning"
    assert line["request_id"] == "-"
