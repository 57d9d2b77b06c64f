"""OWASP API4: one address cannot fill the queues that everybody waits in."""

from __future__ import annotations

import contextlib
import json
import select
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from tests.integration import raw
from tests.people import PASSWORD
from tests.stack import Stack

CROWD, OTHER = "203.0.113.7", "203.0.113.8"


@pytest.fixture
def gateway(own_stack: Stack) -> Stack:
    """A gateway with one thread for Django, and so 64 places, that believes what it is told of addresses."""
    own_stack.environ |= {"WORKER_THREADS": "1", "TRUSTED_PROXIES": "127.0.0.0/8"}
    own_stack.start_web()
    return own_stack


@contextlib.contextmanager
def nobody_can_log_in(stack: Stack) -> Iterator[None]:
    """Whoever looks for a user in the database waits there."""
    with psycopg.connect(stack.database_url) as database:
        database.execute("LOCK TABLE accounts_user IN ACCESS EXCLUSIVE MODE")
        yield


def read_answers(crowded: list[socket.socket], count: int) -> list[bytes]:
    """The first `count` answers that come to a crowd; fewer where no more come."""
    answers: list[bytes] = []
    waiting = set(crowded)
    while len(answers) < count:
        ready, _, _ = select.select(waiting, [], [], 3)
        if not ready:
            break
        for one in ready:
            waiting.discard(one)
            answers.append(one.recv(65_536))
    return answers


def assert_told_to_come_back(answers: list[bytes], count: int, *, after_s: int) -> None:
    """So many are 503, and say when."""
    assert len(answers) == count
    retry = b"retry-after: %d\r\n" % after_s
    assert all(b"HTTP/1.1 503 " in answer and retry in answer for answer in answers)


def login(address: str) -> str:
    """Of nobody. Attempts are counted by name, too: each address tries another."""
    return json.dumps({"username": f"nobody at {address}", "password": PASSWORD})


def post_login(address: str) -> bytes:
    """A login from `address`, as it goes over the wire."""
    body = login(address)
    return (
        f"POST /auth/login HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {address}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def test_503_for_an_address_that_fills_the_queue_of_the_login_and_for_nobody_else(gateway: Stack) -> None:
    with ThreadPoolExecutor(1) as others, contextlib.ExitStack() as locked:
        locked.enter_context(nobody_can_log_in(gateway))
        with raw.opened(gateway, post_login(CROWD), 45) as crowded:
            refused = read_answers(crowded, 35)
            other = others.submit(_log_in, gateway, OTHER)
            locked.close()
            assert other.result().status_code == 401
    assert_told_to_come_back(refused, 35, after_s=5)


def test_503_for_an_address_that_fills_the_queue_for_django_and_for_nobody_else(gateway: Stack) -> None:
    asked = f"GET /version HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {CROWD}\r\n\r\n".encode()
    with ThreadPoolExecutor(1) as others, contextlib.ExitStack() as locked:
        locked.enter_context(nobody_can_log_in(gateway))
        locked.enter_context(raw.opened(gateway, post_login(OTHER), 1))  # has the thread
        with raw.opened(gateway, asked, 70) as crowded:
            refused = read_answers(crowded, 54)
            other = others.submit(_ask, gateway, OTHER)
            locked.close()
            assert other.result().status_code == 200
    assert_told_to_come_back(refused, 54, after_s=1)


def _log_in(stack: Stack, address: str) -> httpx.Response:
    given = {"Content-Type": "application/json", "X-Forwarded-For": address}
    return httpx.post(stack.base_url + "/auth/login", content=login(address), headers=given, timeout=60)


def _ask(stack: Stack, address: str) -> httpx.Response:
    return httpx.get(stack.base_url + "/version", headers={"X-Forwarded-For": address}, timeout=60)
