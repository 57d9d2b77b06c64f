"""Hot reads on two processes: what changes is seen within a second, and what is unusual is Django's."""

from __future__ import annotations

import functools
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest

from tests.people import Key, add_key, add_tier
from tests.stack import Stack, event, eventually

SEEN_WITHIN_S = 1.0


class Process:
    """One of the two, with a connection that is kept alive."""

    def __init__(self, base_url: str) -> None:
        self.client = httpx.Client(base_url=base_url, timeout=60)

    def read(self, symbol: str, key: Key) -> httpx.Response:
        """The newest prediction."""
        return self.client.get(f"/api/prediction/{symbol}", headers=key.header)


@pytest.fixture(scope="module")
def processes(stack: Stack) -> Iterator[list[Process]]:
    """Two web processes on the shared stack."""
    base_url, urls = stack.base_url, []
    for _ in range(2):
        stack.start_web()
        urls.append(stack.base_url)
    stack.base_url = base_url
    found = [Process(url) for url in urls]
    yield found
    for process in found:
        process.client.close()


@pytest.fixture
def key(stack: Stack, processes: list[Process], known: str) -> Key:
    """A key without limits that both processes have let in several times."""
    made = add_key(stack, "enterprise")
    for process in processes:
        for _ in range(5):
            assert process.read(known, made).status_code == 200
    return made


def test_a_new_prediction_is_read_from_every_process_within_a_second(
    stack: Stack, processes: list[Process], known: str, key: Key
) -> None:
    for price in (101.0, 102.0, 103.0):
        stack.publish(event(known, predicted_price=price))
        _all_within_a_second(processes, functools.partial(_is, known, key, price))


def test_a_late_prediction_does_not_replace_a_newer_one(
    stack: Stack, processes: list[Process], known: str, key: Key
) -> None:
    stack.publish(event(known, predicted_price=201.0))
    for process in processes:
        eventually(functools.partial(_is, known, key, 201.0, process))
    early = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    stack.publish(event(known, predicted_price=55.0, timestamp=early))
    eventually(lambda: stack.count_rows(known) == 3)
    for _ in range(20):
        assert [_price(process, known, key) for process in processes] == [201.0, 201.0]
        time.sleep(0.02)


def test_a_revoked_key_is_refused_by_every_process_within_a_second(
    stack: Stack, processes: list[Process], known: str, key: Key
) -> None:
    stack.execute("UPDATE api_keys SET revoked_at = now() WHERE id = %s", key.id)
    _all_within_a_second(processes, lambda process: process.read(known, key).status_code == 401)


def test_a_changed_tier_holds_in_every_process_within_a_second(
    stack: Stack, processes: list[Process], known: str, key: Key
) -> None:
    assert all("x-ratelimit-limit" not in process.read(known, key).headers for process in processes)
    pro = stack.rows("SELECT id FROM accounts_tier WHERE name = 'pro'")[0][0]
    stack.execute("UPDATE api_keys SET tier_id = %s WHERE id = %s", pro, key.id)
    _all_within_a_second(
        processes, lambda process: process.read(known, key).headers.get("x-ratelimit-limit") == "1000"
    )


def test_scopes_that_are_taken_away_are_missed_within_a_second(
    stack: Stack, processes: list[Process], known: str, key: Key
) -> None:
    stack.execute("UPDATE api_keys SET scopes = '[\"stream\"]' WHERE id = %s", key.id)
    _all_within_a_second(processes, lambda process: process.read(known, key).status_code == 403)


def test_calls_are_counted_and_the_key_is_marked_as_used(
    stack: Stack, processes: list[Process], known: str, key: Key
) -> None:
    for process in processes:
        for _ in range(10):
            process.read(known, key)
    calls = (
        "SELECT coalesce(sum(calls), 0) FROM accounts_usagehour WHERE key_id = %s AND route = 'prediction'"
    )
    eventually(lambda: int(stack.rows(calls, key.id)[0][0]) == 30, timeout_s=60)
    used = "SELECT last_used_at, last_used_agent FROM api_keys WHERE id = %s"
    at, agent = stack.rows(used, key.id)[0]
    assert datetime.now(UTC) - at < timedelta(minutes=1)
    assert agent.startswith("python-httpx/")


@pytest.mark.parametrize("tier", ["enterprise", "pro"])
def test_requests_that_come_together_are_answered_in_their_order(
    stack: Stack, processes: list[Process], known: str, tier: str
) -> None:
    key = add_key(stack, tier)
    assert processes[0].read(known, key).status_code == 200
    hot = f"/api/prediction/{known}"
    targets = [hot, hot, "/version", f"{hot}/history", hot, f"/api/predictions?symbols={known}", hot, hot]
    with _connected(processes[0]) as connection:
        connection.sendall(b"".join(_request(target, key, n) for n, target in enumerate(targets)))
        received = _receive(connection, len(targets))
    order = [received.index(b"x-request-id: request-%03d" % n) for n in range(len(targets))]
    assert order == sorted(order)
    assert received.count(b"HTTP/1.1 200 OK") == len(targets)


def test_whoever_is_refused_is_told_so_and_the_connection_serves_on(
    stack: Stack, processes: list[Process], known: str
) -> None:
    key = add_key(stack, add_tier(stack, ("small", "account", 5, 3600, None)))
    target = f"/api/prediction/{known}"
    with _connected(processes[0]) as connection:
        for n in range(8):
            connection.sendall(_request(target, key, n))
            received = _receive(connection, 1)
            status = b"200 OK" if n < 5 else b"429 Too Many Requests"
            assert received.startswith(b"HTTP/1.1 " + status)
        assert b"retry-after: " in received
        assert b'"request_id":"request-007"' in received


def test_no_more_are_let_in_than_the_limit_says_however_many_come_together(
    stack: Stack, processes: list[Process], known: str
) -> None:
    key = add_key(stack, add_tier(stack, ("small", "account", 30, 3600, None)))
    assert processes[0].read(known, key).status_code == 200
    connections = [_connected(process) for process in processes for _ in range(10)]
    for connection in connections:
        connection.sendall(_request(f"/api/prediction/{known}", key, 0) * 5)
    received = b"".join(_receive(connection, 5) for connection in connections)
    for connection in connections:
        connection.close()
    assert (received.count(b"HTTP/1.1 200 OK"), received.count(b"HTTP/1.1 429 ")) == (29, 71)


@pytest.mark.parametrize("tier", ["enterprise", "pro"])
def test_whoever_wants_the_connection_closed_gets_it_closed_after_the_answer(
    stack: Stack, processes: list[Process], known: str, tier: str
) -> None:
    key = add_key(stack, tier)
    assert processes[0].read(known, key).status_code == 200
    request = _request(f"/api/prediction/{known}", key, 0)
    with _connected(processes[0]) as connection:
        connection.sendall(request)
        assert b"connection: close" not in _receive(connection, 1)
        connection.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        received = _receive(connection, 1)
        assert received.startswith(b"HTTP/1.1 200 OK")
        assert b"\r\nconnection: close\r\n" in received
        assert connection.recv(1) == b""


def test_those_who_leave_before_their_answer_cost_the_others_nothing(
    stack: Stack, processes: list[Process], known: str
) -> None:
    key = add_key(stack, "pro")
    for _ in range(50):
        with _connected(processes[0]) as connection:
            connection.sendall(_request(f"/api/prediction/{known}", key, 0) * 3)
    assert processes[0].read(known, key).status_code == 200


def test_a_connection_on_which_nothing_comes_any_more_is_closed(
    processes: list[Process], known: str, key: Key
) -> None:
    request = _request(f"/api/prediction/{known}", key, 0)
    with _connected(processes[0]) as connection:
        for _ in range(3):
            connection.sendall(request)
            assert _receive(connection, 1).startswith(b"HTTP/1.1 200 ")
            time.sleep(0.1)
        answered = time.monotonic()
        assert connection.recv(65536) == b""
    assert 4 < time.monotonic() - answered < 12


def _connected(process: Process) -> socket.socket:
    url = urlsplit(str(process.client.base_url))
    return socket.create_connection((url.hostname, url.port), timeout=60)


def _request(target: str, key: Key, number: int) -> bytes:
    head = f"Host: 127.0.0.1\r\nX-API-Key: {key.secret}\r\nX-Request-ID: request-{number:03}\r\n"
    return f"GET {target} HTTP/1.1\r\n{head}\r\n".encode()


def _receive(connection: socket.socket, answers: int) -> bytes:
    """What comes until so many answers are there: a body of JSON ends with a brace."""
    received = b""
    while received.count(b"x-request-id: ") < answers or not received.endswith(b"}"):
        more = connection.recv(65536)
        assert more, received
        received += more
    return received


def _is(symbol: str, key: Key, price: float, process: Process) -> bool:
    return _price(process, symbol, key) == price


def _price(process: Process, symbol: str, key: Key) -> float:
    price: float = process.read(symbol, key).json()["predicted_price"]
    return price


def _all_within_a_second(processes: list[Process], check: Callable[[Process], bool]) -> None:
    since = time.monotonic()
    for process in processes:
        while not check(process):
            assert time.monotonic() - since < SEEN_WITHIN_S
            time.sleep(0.005)
