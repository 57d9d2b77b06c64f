"""nginx with the configuration of docker/nginx, in front of processes of the roles web and ws."""

from __future__ import annotations

import contextlib
import json
import os
import re
import ssl
import subprocess
from collections.abc import Iterator

import httpx
import pytest
from websockets.sync.client import connect

from gateway_project import embedded
from gateway_project.problem_types import PROBLEM_TYPES
from tests.conftest import make_stack
from tests.deploy import fronted
from tests.deploy.fronted import FOLDER, Front
from tests.servers import temporary_folder
from tests.stack import Stack, event, eventually, receive, send

PLAIN = {"http.conf": "http.conf"}
TLS = {"http.conf": "redirect.conf", "tls.conf": "tls.conf"}
# Whoever calls through nginx; nginx itself calls the gateway from 127.0.0.1, which is trusted.
CLIENT, ANOTHER_CLIENT = "127.0.0.2", "127.0.0.3"
_JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def behind() -> Iterator[Stack]:
    """A gateway with a process of each role, as in compose.yaml; `base_url` is the one of web."""
    with contextlib.ExitStack() as held:
        stack = make_stack(held, os.environ["DATABASE_URL"])
        stack.environ |= {"TRUSTED_PROXIES": "127.0.0.1/32", "METRICS_NETWORKS": "127.0.0.1/32"}
        stack.start_bridge()
        stack.environ["GATEWAY_ROLE"] = "web"
        stack.start_web()
        yield stack


@pytest.fixture(scope="module")
def ws_port(behind: Stack) -> int:
    """Where the process of the role ws listens."""
    port = embedded.free_port()
    behind.start("serve", "--port", str(port), "--role", "ws")
    assert embedded.wait_until_listening(port, timeout_s=60)
    return port


@pytest.fixture(scope="module")
def front(behind: Stack, ws_port: int) -> Iterator[Front]:
    """nginx with the plain door in front of `behind`."""
    with temporary_folder() as folder:
        web_port = int(behind.base_url.rpartition(":")[2])
        with fronted.running(fronted.lay_out(folder, PLAIN, web_port, ws_port)) as front:
            yield front


@pytest.fixture
def client(front: Front, behind: Stack) -> Iterator[httpx.Client]:
    """Calls through nginx, with a key."""
    with _client(front, CLIENT) as made:
        made.headers["X-API-Key"] = behind.key
        yield made


def _client(front: Front, address: str) -> httpx.Client:
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(base_url=f"http://127.0.0.1:{front.plain_port}", transport=transport, timeout=60)


@pytest.mark.parametrize("doors", [PLAIN, TLS], ids=["plain", "tls"])
def test_nginx_takes_the_configuration_without_a_warning(doors: dict[str, str]) -> None:
    with temporary_folder() as folder:
        front = fronted.lay_out(folder, doors, 1, 2)
        fronted.make_certificate(folder)
        assert front.complaints() == ""


def test_rest_goes_through(client: httpx.Client, behind: Stack, symbol: str) -> None:
    behind.publish(event(symbol))
    answer = eventually(lambda: _if_ok(client.get(f"/api/prediction/{symbol}")))
    assert answer.json()["symbol"] == symbol
    assert not re.search(r"\d", answer.headers.get("Server", "")), "the version is nobody's business"
    again = client.get(f"/api/prediction/{symbol}", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def _if_ok(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == 200 else None


def test_a_socket_goes_to_the_role_ws_and_gets_updates(front: Front, behind: Stack, symbol: str) -> None:
    url = f"ws://127.0.0.1:{front.plain_port}/ws/predictions"
    with connect(url, additional_headers={"X-API-Key": behind.key}, close_timeout=1) as socket:
        assert receive(socket)["type"] == "welcome"
        send(socket, action="subscribe", symbols=[symbol], snapshot=False)
        assert receive(socket)["symbols"] == [symbol]
        behind.publish(event(symbol))
        assert receive(socket)["symbol"] == symbol


def test_a_request_id_goes_through_and_comes_back(client: httpx.Client, front: Front) -> None:
    answer = client.get("/version", headers={"X-Request-ID": "from-the-caller-1"})
    assert answer.headers.get_list("X-Request-ID") == ["from-the-caller-1"]
    made = client.get("/version").headers["X-Request-ID"]

    def are_logged() -> bool:  # nginx writes its line after the answer
        logged = [json.loads(line)["request_id"] for line in front.access_log().splitlines()]
        return {"from-the-caller-1", made} <= set(logged)

    eventually(are_logged)


def test_429_for_a_stranger_whatever_it_says_of_its_address(front: Front) -> None:
    def ask(client: httpx.Client, number: int) -> int:
        invented = f"203.0.113.{number}"
        headers = [("X-Forwarded-For", invented), ("X-Real-IP", invented), ("Forwarded", f"for={invented}")]
        return client.get(
            "/api/prediction/ZZZZ", headers=[*headers, ("X_Forwarded_For", invented)]
        ).status_code

    with _client(front, CLIENT) as stranger, _client(front, ANOTHER_CLIENT) as another:
        # Anonymous callers have 10 calls an hour and address.
        assert [ask(stranger, number) for number in range(11)] == [404] * 10 + [429]
        assert ask(another, 1) == 404


@pytest.mark.parametrize(
    "path",
    ["/metrics", "/metrics/", "/metrics?x=1", "/%6detrics", "//metrics", "/./metrics", "/x/../metrics"],
)
def test_404_for_metrics_however_they_are_asked_for(front: Front, path: str) -> None:
    with connect_raw(
        front.plain_port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    ) as answer:
        head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 404 ")
    assert "content-type: application/problem+json" in head.lower()
    assert json.loads(body)["error"] == "NOT_FOUND"


@contextlib.contextmanager
def connect_raw(port: int, request: str) -> Iterator[str]:
    """The whole answer to `request` as it stands: a client would put the path in order first."""
    import socket

    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request.encode())
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    yield b"".join(parts).decode()


@pytest.mark.parametrize("size", [(1 << 20) + 1, 3 << 19, 3 << 20])
def test_413_as_a_problem_above_the_limit_of_the_gateway(client: httpx.Client, size: int) -> None:
    answer = client.post("/api/explanation/AAPL", content=b" " * size, headers=_JSON)
    assert (answer.status_code, answer.json()["error"]) == (413, "PAYLOAD_TOO_LARGE")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


def test_400_by_the_gateway_for_a_body_of_just_its_limit(client: httpx.Client) -> None:
    answer = client.post("/api/explanation/AAPL", content=b" " * (1 << 20), headers=_JSON)
    assert (answer.status_code, answer.json()["instance"]) == (400, "/api/explanation/AAPL")


def test_a_header_with_an_underscore_is_no_credential(front: Front, behind: Stack) -> None:
    with _client(front, CLIENT) as stranger:
        answer = stranger.post("/api/explanation/AAPL", json={}, headers={"X_API_Key": behind.key})
        assert answer.status_code == 401


def test_no_query_gets_into_a_log(front: Front, client: httpx.Client) -> None:
    client.get("/version?token=a-secret-in-the-query")
    with (
        contextlib.suppress(Exception),
        connect(
            f"ws://127.0.0.1:{front.plain_port}/ws/predictions?token=a-secret-in-the-query", close_timeout=1
        ) as socket,
    ):
        socket.recv(timeout=60)
    eventually(lambda: '"path":"/version"' in front.access_log())
    assert "a-secret-in-the-query" not in front.access_log() + front.error_log()


def test_503_as_a_problem_while_no_process_can_be_reached() -> None:
    with temporary_folder() as folder:
        nobody = fronted.lay_out(folder, PLAIN, embedded.free_port(), embedded.free_port())
        with fronted.running(nobody), _client(nobody, CLIENT) as client:
            for path in ("/api/prediction/AAPL", "/ws/predictions?token=a-secret-in-the-query"):
                answer = client.get(path)
                assert (answer.status_code, answer.json()["error"]) == (503, "NOT_READY")
                assert answer.headers["Content-Type"] == "application/problem+json"
                assert answer.headers["Retry-After"] == "2"
            assert "a-secret-in-the-query" not in nobody.error_log()


def test_errors_of_nginx_are_problems_that_the_gateway_knows() -> None:
    told = [
        json.loads(text.replace("$request_id", "x"))
        for text in re.findall(r"return \d+ '(\{.*\})';", (FOLDER / "gateway.conf").read_text())
    ]
    assert len(told) == 4
    for problem in told:
        known = PROBLEM_TYPES[problem["error"]]
        assert (problem["title"], problem["status"]) == (known.title, known.status)
        assert problem["type"] == f"/errors/{problem['error']}"


def test_the_door_with_tls_serves_rest_and_sockets_and_the_plain_one_sends_there(
    behind: Stack, ws_port: int
) -> None:
    with temporary_folder() as folder:
        web_port = int(behind.base_url.rpartition(":")[2])
        front = fronted.lay_out(folder, TLS, web_port, ws_port)
        trusted = ssl.create_default_context(cafile=str(fronted.make_certificate(folder)))
        with fronted.running(front):
            _serves_with_tls(front, behind, trusted)
            assert _is_refused(front.tls_port, "-tls1_1")
            assert not _is_refused(front.tls_port, "-tls1_2")
            assert not _is_refused(front.tls_port, "-tls1_3")


def _serves_with_tls(front: Front, behind: Stack, trusted: ssl.SSLContext) -> None:
    with httpx.Client(verify=trusted, headers={"X-API-Key": behind.key}) as client:
        answer = client.get(f"https://localhost:{front.tls_port}/version")
        assert answer.status_code == 200
        assert answer.headers.get_list("Strict-Transport-Security") == ["max-age=31536000"]
        sent_on = client.get(f"http://localhost:{front.plain_port}/api/predictions?symbols=A")
        assert sent_on.status_code == 308
        assert sent_on.headers["Location"] == "https://localhost/api/predictions?symbols=A"
    url = f"wss://localhost:{front.tls_port}/ws/predictions"
    with connect(url, ssl=trusted, additional_headers={"X-API-Key": behind.key}, close_timeout=1) as socket:
        assert receive(socket)["type"] == "welcome"


def _is_refused(port: int, version: str) -> bool:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", version, "-cipher", "ALL:@SECLEVEL=0"]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=60, check=False)
    return done.returncode != 0


def test_401_for_a_large_body_without_a_credential(front: Front) -> None:
    with _client(front, CLIENT) as stranger:
        for _ in range(10):
            answer = stranger.post("/api/explanation/AAPL", content=b" " * 900_000, headers=_JSON)
            assert (answer.status_code, answer.json()["error"]) == (401, "NOT_AUTHENTICATED")
