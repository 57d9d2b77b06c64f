"""OWASP API4: whoever reads an answer slowly holds nothing that others wait for."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from gateway_project import django_threads
from tests.people import PASSWORD
from tests.security.conftest import add_staff
from tests.stack import Stack

# Before a bound of the gateway's ends what the slow ones hold: the first is that of a part of a stream.
WITHIN_S = django_threads.PART_WITHIN_S / 2
THREADS = 2
LARGE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
DOCUMENT = "/api/openapi.json"
EXPORT = "/admin/accounts/auditevent/export/"


@pytest.fixture
def gateway(own_stack: Stack) -> Stack:
    """A gateway with two threads for Django."""
    own_stack.environ["WORKER_THREADS"] = str(THREADS)
    own_stack.start_web()
    return own_stack


def request(method: str, path: str, *lines: str, body: str = "") -> bytes:
    """As it goes over the wire."""
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", *lines]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


@contextlib.contextmanager
def reading_slowly(stack: Stack, said: bytes) -> Iterator[socket.socket]:
    """A connection on which `said` was sent, and of whose answer the first byte was read."""
    place = urlsplit(stack.base_url)
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(60)
        one.connect((place.hostname or "", place.port or 0))
        one.sendall(said)
        assert one.recv(1) == b"H"
        yield one


def read_to_the_end(one: socket.socket) -> bytes:
    """All that still comes, also over a connection that is cut off."""
    received = b""
    with contextlib.suppress(OSError):
        while chunk := one.recv(1 << 16):
            received += chunk
    return received


def log_in(stack: Stack, username: str = "nobody") -> httpx.Response:
    """Somebody else's login."""
    given = {"username": username, "password": PASSWORD}
    return httpx.post(stack.base_url + "/auth/login", json=given, timeout=WITHIN_S)


def test_slow_readers_of_files_hold_no_thread_and_get_the_whole_file(gateway: Stack) -> None:
    whole = httpx.get(gateway.base_url + LARGE).content
    asked = request("GET", LARGE, "Connection: close")
    with contextlib.ExitStack() as held:
        slow = [held.enter_context(reading_slowly(gateway, asked)) for _ in range(3 * THREADS)]
        assert httpx.get(gateway.base_url + "/version", timeout=WITHIN_S).status_code == 200
        _, _, body = read_to_the_end(slow[0]).partition(b"\r\n\r\n")
    assert body == whole


def test_a_slow_reader_holds_neither_the_turn_of_the_password_nor_a_place(gateway: Stack) -> None:
    body = json.dumps({"username": "nobody", "password": PASSWORD})
    said = request("GET", DOCUMENT) + request(
        "POST", "/auth/login", "Content-Type: application/json", "Connection: close", body=body
    )
    with reading_slowly(gateway, said) as slow:
        assert [log_in(gateway).status_code for _ in range(2)] == [401, 401]
        assert b"HTTP/1.1 401 " in read_to_the_end(slow)


def test_a_slow_reader_of_an_export_holds_no_thread_and_loses_the_rest(gateway: Stack) -> None:
    gateway.execute(
        "INSERT INTO accounts_auditevent (at, actor, action, kind, subject_id, subject, detail, address, "
        "request_id) SELECT now(), 'x', 'x', 'x', '', 'x', to_jsonb(repeat('x', 8000)), '', '' "
        "FROM generate_series(1, 1000)"
    )
    for staff in add_staff(gateway):
        staff.log_in()
        asked = request(
            "POST",
            EXPORT,
            f"Cookie: {staff.cookie}",
            "Content-Type: application/x-www-form-urlencoded",
            "Connection: close",
            body=f"csrfmiddlewaretoken={staff.cookies['csrftoken']}",
        )
        with contextlib.ExitStack() as held:
            slow = [held.enter_context(reading_slowly(gateway, asked)) for _ in range(THREADS)]
            assert httpx.get(gateway.base_url + "/version", timeout=WITHIN_S).status_code == 200
            # Before anybody has read on, there is a thread for the same answer again.
            assert staff.call("POST", EXPORT).text.count("\r\n") > 1000
            assert not read_to_the_end(slow[0]).endswith(b"\r\n0\r\n\r\n")
