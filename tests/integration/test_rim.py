"""What the rim keeps from Django: slow and huge bodies, look-alike headers, foreign methods."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest
from websockets.sync.client import connect

from accounts.keys import make_key
from tests.integration import raw
from tests.integration.rest import assert_problem
from tests.integration.test_socket import assert_refused
from tests.people import add_key
from tests.stack import Stack, receive

# Announces a hundred bytes, and is one.
SLOW_POST = (
    b"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nCookie: csrftoken=x\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\na"
)


def test_clients_that_send_their_body_slowly_hold_no_thread_and_get_408(stack: Stack) -> None:
    with raw.opened(stack, SLOW_POST, 40) as slow:
        with ThreadPoolExecutor(4) as readers:
            answers = list(readers.map(stack.get, ["/health/ready", "/health/live", "/api/nothing"] * 2))
        assert [answer.status_code for answer in answers] == [200, 200, 404] * 2
        first = slow[0].recv(4096)
        assert first.startswith(b"HTTP/1.1 408 ")
        assert b"REQUEST_TIMEOUT" in first + slow[0].recv(4096)


@pytest.mark.parametrize("announced", [True, False])
def test_413_for_a_body_over_one_mebibyte(stack: Stack, announced: bool) -> None:
    body = b"x" * (1_100_000)
    content = body if announced else iter([body[:600_000], body[600_000:]])
    response = httpx.post(stack.base_url + "/api/predictions", content=content)
    assert_problem(response, 413, "PAYLOAD_TOO_LARGE")


def test_a_body_that_nobody_reads_changes_nothing(stack: Stack) -> None:
    response = httpx.request("GET", stack.base_url + "/version", content=b"x" * 1000)
    assert response.json()["name"] == "prediction-gateway"


def test_a_header_with_underscores_is_no_credential(stack: Stack) -> None:
    response = httpx.get(stack.base_url + "/api/predictions?symbols=AAPL", headers={"X_API_Key": "junk"})
    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/", "/version", "/health/ready", "/errors/NOT_FOUND"])
@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
def test_405_for_what_changes_nothing(stack: Stack, path: str, method: str) -> None:
    response = httpx.request(method, stack.base_url + path)
    assert_problem(response, 405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"] == "GET, HEAD"


def test_the_format_parameter_of_drf_is_not_ours(stack: Stack) -> None:
    assert stack.get("/api/predictions?symbols=AAPL&format=xml").status_code == 200


@pytest.mark.parametrize("origin", ["http://[", "x", "http://127.0.0.1:99999", ""])
def test_an_odd_origin_is_refused_on_the_socket(stack: Stack, origin: str) -> None:
    headers = {"X-API-Key": stack.key, "Origin": origin}
    with connect(stack.socket_url, additional_headers=headers) as opened:
        assert_refused(opened, "ORIGIN_REFUSED", 4403)


def test_connections_on_which_no_request_gets_complete_are_cut_off(stack: Stack) -> None:
    half = b"GET /version HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
    with raw.opened(stack, b"", 1) as silent, raw.opened(stack, half, 1) as slow:
        for one in (*silent, *slow):
            with suppress(ConnectionResetError):
                assert one.recv(4096) == b""


@pytest.mark.parametrize("path", ["/auth/login", "/auth/logout", "/auth/register"])
def test_422_for_a_field_name_that_is_no_text(stack: Stack, path: str) -> None:
    body = b'{"\\ud800": 1}'
    headers = {
        "Content-Type": "application/json",
        "X-API-Key": add_key(stack, "pro", scopes='["keys:write"]').secret,
    }
    answer = httpx.post(stack.base_url + path, content=body, headers=headers)
    assert_problem(answer, 422, "INVALID_BODY")
    assert answer.json()["errors"][0]["pointer"] == "/\\ud800"


def test_4429_for_an_address_that_guesses_keys_on_the_socket(own_stack: Stack) -> None:
    own_stack.start_web()
    assert own_stack.get("/auth/profile").status_code == 200
    for _ in range(301):
        with connect(
            own_stack.socket_url, additional_headers={"X-API-Key": make_key(uuid.uuid4(), "live")}
        ) as opened:
            frame = receive(opened)
            if frame["code"] != "INVALID_CREDENTIAL":
                break
    assert frame["code"] == "TOO_MANY_ATTEMPTS"
    with own_stack.socket():
        pass  # a key that is known is no guess
