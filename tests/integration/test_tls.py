"""The gateway speaks TLS itself: hot and cold, over sockets, with workers that take a renewed certificate."""

from __future__ import annotations

import http.client
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.gateway_project import certificates
from tests.gateway_project.certificates import Files
from tests.integration.test_launcher import Gateway
from tests.stack import Stack, event, eventually, receive, send

HSTS = "max-age=31536000; includeSubDomains; preload"


class Secure(Gateway):
    """Server processes that speak TLS, and a client's view of them."""

    def __init__(self, stack: Stack, files: Files, *options: str) -> None:
        self.files = files
        tls = ["--tls-certificate", str(files.certificate), "--tls-key", str(files.key)]
        super().__init__(stack, *tls, *options)
        self.url = f"https://127.0.0.1:{self.port}"
        eventually(self.is_up, timeout_s=60)

    def context(self) -> ssl.SSLContext:
        """A client that trusts the certificate that the file holds now."""
        return ssl.create_default_context(cafile=str(self.files.certificate))

    def get(self, path: str, **headers: str) -> httpx.Response:
        """GET over a connection of its own."""
        return httpx.get(self.url + path, headers=headers, verify=self.context(), timeout=60)

    def is_up(self) -> bool:
        """True once it answers."""
        try:
            return self.get("/health/live").status_code == 200
        except httpx.TransportError:
            return False

    def end(self) -> None:
        """In good order."""
        self.process.terminate()
        assert self.process.wait(timeout=60) == 0


@pytest.fixture(scope="module")
def secure(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    """One process."""
    made = Secure(stack, certificates.make(tmp_path_factory.mktemp("tls")))
    yield made
    made.end()


def test_every_answer_counts_as_secure(stack: Stack, secure: Secure, known: str) -> None:
    key = {"X-API-Key": stack.key}
    for path in (f"/api/prediction/{known}",) * 3 + (
        f"/api/prediction/{known}/history",
        "/health",
        "/nothing",
    ):
        answer = secure.get(path, **key)
        assert answer.status_code == (404 if path == "/nothing" else 200)
        assert answer.headers.get_list("strict-transport-security") == [HSTS]
    page = secure.get("/start")
    assert f"{secure.url}/api/prediction/AAPL" in page.text
    assert f"wss://127.0.0.1:{secure.port}/ws/predictions" in page.text
    assert page.headers["content-security-policy"].endswith("; upgrade-insecure-requests")
    cookie = secure.get("/admin/login/").headers["set-cookie"]
    assert "Secure" in cookie


def test_connections_are_kept_and_large_bodies_get_through(secure: Secure) -> None:
    with httpx.Client(base_url=secure.url, verify=secure.context(), timeout=60) as client:
        for _ in range(20):
            assert client.get("/version").status_code == 200
        assert client.post("/auth/login", content=b"x" * 1_000_000).status_code in (400, 415)
        assert client.post("/auth/login", content=b"x" * 1_100_000).status_code == 413


def test_a_socket_is_served(stack: Stack, secure: Secure, known: str) -> None:
    address = f"wss://127.0.0.1:{secure.port}/ws/predictions"
    with connect(
        address, ssl=secure.context(), additional_headers={"X-API-Key": stack.key}, close_timeout=1
    ) as opened:
        assert receive(opened)["type"] == "welcome"
        send(opened, action="subscribe", symbols=[known], snapshot=False)
        assert receive(opened)["type"] == "subscribed"
        stack.publish(event(known, predicted_price=7.0))
        assert receive(opened)["predicted_price"] == 7.0
        opened.send("x" * 300_000)
        with pytest.raises(ConnectionClosed) as closed:
            _read_on(opened)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize(
    ("version", "is_spoken"), [("TLSv1", False), ("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)]
)
def test_old_versions_are_not_spoken(secure: Secure, version: str, is_spoken: bool) -> None:
    option = version.lower().replace("v1_", "1_").replace("tlsv1", "tls1")
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{secure.port}", f"-{option}"]
        + ([] if is_spoken else ["-cipher", "DEFAULT@SECLEVEL=0"]),
        input=b"",
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (b"Cipher is (NONE)" not in done.stdout) is is_spoken


def test_plain_http_is_not_spoken(secure: Secure) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", secure.port, timeout=60)
    connection.connect()
    with pytest.raises((http.client.HTTPException, OSError)):
        _ask(connection)


def test_a_head_that_is_too_large_is_refused_and_the_connection_ends(secure: Secure) -> None:
    with (
        socket.create_connection(("127.0.0.1", secure.port), timeout=60) as plain,
        secure.context().wrap_socket(plain, server_hostname="localhost") as opened,
    ):
        opened.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200_000)
        assert opened.recv(100).startswith(b"HTTP/1.1 431 ")


def test_many_who_come_together_are_served(secure: Secure) -> None:
    held = [socket.create_connection(("127.0.0.1", secure.port)) for _ in range(50)]  # these say nothing
    assert [secure.get("/health/live").status_code for _ in range(20)] == [200] * 20
    for one in held:
        one.close()


def test_the_metrics_tell_when_the_certificate_ends(secure: Secure) -> None:
    told = [line for line in secure.get("/metrics").text.splitlines() if "pgw_certificate_expires" in line]
    assert f'file="{secure.files.certificate}"' in told[-1]


def test_workers_take_a_renewed_certificate_on_sighup(stack: Stack, tmp_path: Path) -> None:
    gateway = Secure(stack, certificates.make(tmp_path), "--workers", "2")
    # A worker that is renewed before it listens has no socket to hand on.
    old = gateway.ready(2)
    before = _serial(gateway)
    fresh = certificates.make(tmp_path, "renewed")
    fresh.key.replace(gateway.files.key)
    fresh.certificate.replace(gateway.files.certificate)
    assert _serial(gateway) == before
    gateway.process.send_signal(signal.SIGHUP)
    gateway.ready(2, without=old)
    assert all(_serial(gateway) != before for _ in range(10))
    assert gateway.get("/version").status_code == 200
    gateway.end()


def _read_on(opened: ClientConnection) -> None:
    while True:
        opened.recv(timeout=60)


def _ask(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/health/live")
    connection.getresponse()


def _serial(gateway: Secure) -> str:
    """Which certificate a new connection is shown."""
    return ssl.get_server_certificate(("127.0.0.1", gateway.port), timeout=60)
