"""Attacks on a running gateway, to the letter: on the head of a request, its host, its path, its length."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration import raw
from tests.integration.rest import PROBLEM
from tests.stack import Stack, eventually

HOST = b"Host: localhost\r\n"
SMUGGLED = b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"0\r\n\r\n"


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"localhost.evil.example",
        b"evil.example:8000",
        b"localhost@evil.example",
        b"local_host",
        b"localhost:port",
        b"localhost/evil",
        b"local host",
        b"127.0.0.1.nip.io",
        b"",
    ],
)
@pytest.mark.parametrize("target", [b"/version", b"/api/prediction/AAPL", b"/admin/login/", b"/"])
def test_400_for_a_host_that_is_not_ours(stack: Stack, host: bytes, target: bytes) -> None:
    answer = raw.get(stack, target, host=host)
    assert (answer.status, answer.headers["content-type"]) == (400, PROBLEM)
    assert b"BAD_REQUEST" in answer.body
    assert b"evil" not in answer.body


@pytest.mark.parametrize(
    "host", [b"localhost", b"localhost:8000", b"LOCALHOST", b"127.0.0.1:1", b"[::1]:8000"]
)
def test_our_hosts_may_have_any_port(stack: Stack, host: bytes) -> None:
    assert raw.get(stack, b"/version", host=host).status == 200


def test_the_second_host_is_not_chosen(stack: Stack) -> None:
    answer = raw.get(stack, b"/", b"Host: evil.example")
    assert answer.status == 400
    assert b"evil" not in answer.body


def test_what_proxies_say_of_the_host_is_not_believed(stack: Stack) -> None:
    page = raw.get(stack, b"/", b"X-Forwarded-Host: evil.example", b"X-Forwarded-Proto: https")
    assert page.status == 200
    assert b"evil.example" not in page.body
    assert b"https://localhost" not in page.body


@pytest.mark.parametrize(
    "value", [b"%0d%0aX-Injected:%201", b"%0D%0ASet-Cookie:%20a=b", b"%E5%98%8A%E5%98%8DX-Injected:1"]
)
@pytest.mark.parametrize(
    "target", [b"/admin?next=%b", b"/admin/%b", b"/errors/%b", b"/api/prediction/%b", b"/%b"]
)
def test_no_line_of_a_target_becomes_a_header(stack: Stack, target: bytes, value: bytes) -> None:
    answer = raw.get(stack, target.replace(b"%b", value))
    assert answer.status in (301, 302, 400, 404)
    assert not {"x-injected", "set-cookie"} & answer.headers.keys()


@pytest.mark.parametrize("value", [b"a\rX-Injected: 1", b"a\nX-Injected: 1", b"a\x00b", b"caf\xe9" * 10])
def test_no_line_of_a_header_becomes_another(stack: Stack, value: bytes) -> None:
    answer = raw.get(stack, b"/api/prediction/ZZZZZ", b"X-Request-ID: " + value, b"Origin: " + value)
    assert "x-injected" not in answer.headers
    assert value.decode("latin-1") not in str(answer.headers)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5, 6\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5 5\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"Transfer-Encoding: chunked\r\n x: y\r\n",
        b"X: y\r\n Content-Length: 5\r\n",
        b"Content-Length: 5\nX: y\r\n",
        b"X: y\rTransfer-Encoding: chunked\r\n",
        b"Content\x00-Length: 5\r\n",
    ],
    ids=repr,
)
def test_where_a_body_ends_is_not_open_to_interpretation(stack: Stack, head: bytes) -> None:
    request = b"POST /auth/login HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n" + head + b"\r\n"
    answer = raw.ask(stack, request + CHUNKED + SMUGGLED)
    assert answer.status in (0, 400)
    assert b'"name":' not in answer.body + answer.rest  # nobody answered what was smuggled


@pytest.mark.parametrize("target", [b"/auth/login", b"/health/live", b"/api/prediction/AAPL"])
def test_400_for_a_length_that_nobody_can_count_to(stack: Stack, target: bytes) -> None:
    length = b"Content-Length: " + b"0" * 4_400 + b"2"
    answer = raw.ask(stack, b"POST %b HTTP/1.1\r\n%b%b\r\n\r\n{}" % (target, HOST, length))
    assert answer.status == 400
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("is_split", [False, True])
@pytest.mark.parametrize("offered", [b"h2c", b"websocket, h2c"])
def test_an_offer_of_another_protocol_turns_no_body_into_a_request(
    stack: Stack, offered: bytes, is_split: bool
) -> None:
    lines = b"Connection: Upgrade\r\nUpgrade: %b\r\nContent-Length: %d\r\n\r\n" % (offered, len(SMUGGLED))
    head = b"POST /auth/login HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n" + lines
    answer = raw.ask(stack, *((head, SMUGGLED) if is_split else (head + SMUGGLED,)))
    assert answer.status == 400
    assert b'"name":' not in answer.body + answer.rest


def test_the_body_of_a_request_that_offers_another_protocol_is_read(stack: Stack) -> None:
    """Java's HttpClient offers h2c with its first POST."""
    body = b'{"username":"nobody","password":"wrong"}'
    lines = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
    head = b"POST /auth/login HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n" + lines
    answer = raw.ask(stack, head + b"Content-Length: %d\r\n\r\n" % len(body), body)
    assert (answer.status, answer.rest) == (401, b"")


def test_a_trailer_is_no_header(stack: Stack) -> None:
    head = b"GET /auth/profile HTTP/1.1\r\n" + HOST
    key = b"X-API-Key: " + stack.key.encode() + b"\r\n"
    assert raw.ask(stack, head + key + b"\r\n").status == 200
    answer = raw.ask(stack, head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + key + b"\r\n")
    assert (answer.status, answer.rest) == (401, b"")


@pytest.mark.parametrize(
    "chunks",
    [
        b"1\r\nab\r\n0\r\n\r\n",
        b"-1\r\na\r\n0\r\n\r\n",
        b"0x1\r\na\r\n0\r\n\r\n",
        b"1\na\r\n0\r\n\r\n",
        b"ffffffffffffffffff\r\na\r\n",
        b"1;\x00\r\na\r\n0\r\n\r\n",
    ],
    ids=repr,
)
def test_chunks_that_are_none_end_the_connection(stack: Stack, chunks: bytes) -> None:
    head = b"POST /auth/login HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
    answer = raw.ask(stack, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + SMUGGLED)
    assert answer.status in (0, 400, 422)
    assert b'"name":' not in answer.body + answer.rest


@pytest.mark.parametrize(
    "line",
    [
        b"GET /version HTTP/9.9",
        b"GET /ver\x00sion HTTP/1.1",
        b"GET\t/version\tHTTP/1.1",
        b"G\xc3\x8bT /version HTTP/1.1",
        b" GET /version HTTP/1.1",
        b"GET http:// HTTP/1.1",
    ],
    ids=repr,
)
def test_400_for_a_line_that_is_no_request(stack: Stack, line: bytes) -> None:
    answer = raw.ask(stack, line + b"\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert answer.status == 400


@pytest.mark.parametrize("method", [b"TRACE", b"CONNECT", b"PROPFIND", b"DEBUG", b"PURGE", b"get"])
@pytest.mark.parametrize("target", [b"/version", b"/api/prediction/AAPL", b"/auth/login"])
def test_methods_that_nobody_has_are_refused_and_echo_nothing(
    stack: Stack, method: bytes, target: bytes
) -> None:
    key = b"X-API-Key: " + stack.key.encode()
    answer = raw.get(stack, target, key, b"X-Secret: abracadabra", method=method)
    assert answer.status in ((405,) if method in (b"TRACE", b"PROPFIND", b"PURGE") else (400, 405))
    assert b"abracadabra" not in answer.body


def test_a_method_in_a_header_is_none(stack: Stack) -> None:
    lines = [b"X-HTTP-Method-Override: DELETE", b"X-Method-Override: DELETE", b"X-HTTP-Method: DELETE"]
    assert raw.get(stack, b"/version", *lines).status == 200
    for line in (b"X-HTTP-Method-Override: GET", b"X-Method-Override: GET", b"X-HTTP-Method: GET"):
        assert raw.get(stack, b"/version", line, method=b"POST").status == 405


def test_a_head_of_many_headers_is_read_or_refused_and_then_forgotten(stack: Stack) -> None:
    many = [b"X-%d: y" % number for number in range(20_000)]
    assert raw.get(stack, b"/version", *many).status in (200, 431)
    endless = b"GET /version HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 200_000
    assert raw.ask(stack, endless).status in (0, 431)
    assert raw.get(stack, b"/version").status == 200


SHAPES = [
    b"../../../../etc/passwd",
    b"..%2f..%2f..%2fetc%2fpasswd",
    b"%2e%2e/%2e%2e/etc/passwd",
    b"%252e%252e%252fetc%252fpasswd",
    b"..\\..\\etc\\passwd",
    b"..%5c..%5cetc%5cpasswd",
    b"....//....//etc/passwd",
    b"..;/etc/passwd",
    b"%c0%ae%c0%ae/etc/passwd",
    b"/etc/passwd",
    b"~root/.ssh/id_rsa",
    b"\\x2e\\x2e/etc/passwd",
    b"gateway_pages/../../manage.py",
    b"gateway_pages/page.css%00.png",
]


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
@pytest.mark.parametrize("prefix", [b"/static/", b"/", b"/errors/", b"/admin/"])
def test_no_path_leads_to_a_file(stack: Stack, prefix: bytes, shape: bytes) -> None:
    answer = raw.get(stack, prefix + shape)
    climbs = b".." in shape or b"~" in shape or b"\\x" in shape or b"%2e%2e" in shape or b"%252e" in shape
    assert answer.status == 403 if climbs else answer.status in (302, 400, 404)
    for word in (b"root:", b"DJANGO_SETTINGS_MODULE", b"BEGIN"):
        assert word not in answer.body


def test_a_null_byte_is_nowhere_a_fault(stack: Stack) -> None:
    key = b"X-API-Key: " + stack.key.encode()
    for target in (
        b"/api/prediction/A%00",
        b"/api/predictions?symbols=A%00",
        b"/api/prediction/A/history?cursor=%00",
        b"/errors/%00",
        b"/static/%00",
        b"/admin/login/?next=%00",
        b"/%00",
    ):
        assert raw.get(stack, target, key).status in (200, 400, 404)


def test_absolute_targets_and_authorities_lead_nowhere_else(stack: Stack) -> None:
    for target in (b"http://evil.example/version", b"//evil.example/version", b"/\\evil.example"):
        answer = raw.get(stack, target)
        assert answer.status in (200, 400, 404)
        assert b"evil.example" not in answer.headers.get("location", "").encode()


def test_what_climbs_and_what_reads_like_sql_is_in_the_log_with_the_address(
    own_stack: Stack, tmp_path: Path
) -> None:
    own_stack.log_path = log = tmp_path / "log"
    own_stack.start_web()
    as_ever = own_stack.get("/api/predictions?symbols=AAPL")
    odd = own_stack.get("/api/predictions?symbols=AAPL&q=1%20UNION%20SELECT%20password%20FROM%20users")
    assert (odd.status_code, odd.json()) == (as_ever.status_code, as_ever.json())
    assert raw.get(own_stack, b"/static/..%2fsettings.py").status == 403
    told = ("a target that reads like SQL: GET '/api/predictions', from 127.0.0.1", "a path that climbs")
    eventually(lambda: all(one in log.read_text() for one in told))
    assert "password FROM" not in log.read_text()
