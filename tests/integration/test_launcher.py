"""`manage.py serve`: several real workers on one port, through death, renewal and the end; and the roles."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from gateway_project import embedded
from tests.stack import Stack, eventually, receive

ESTABLISHED, LISTENING = "01", "0A"
# Between two calls of a stream, so that it leaves the processors to those who start.
_PAUSE_S = 0.005
NOBODY_LISTENS = "nobody listens"


class Gateway:
    """A launcher on a port of its own, and what the kernel knows of its processes."""

    def __init__(self, stack: Stack, *options: str) -> None:
        self.port = embedded.free_port()
        self.url = f"http://{embedded.LOOPBACK}:{self.port}"
        self.process = stack.start("serve", "--port", str(self.port), *options)

    def workers(self) -> set[int]:
        """Its child processes."""
        pid = self.process.pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def count_sockets(self, pid: int, state: str) -> int:
        """How many of the sockets on the port, of those in `state`, process `pid` has open."""
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        columns = [line.split() for line in lines]
        inodes = {c[9] for c in columns if c[3] == state and int(c[1].split(":")[1], 16) == self.port}
        return len(inodes & _inodes(pid))

    def ready(self, count: int, *, without: set[int] | None = None) -> set[int]:
        """Wait until `count` processes serve, none of them of `without`, and nobody else is left."""

        def found() -> set[int] | None:
            now = self.workers()
            good = len(now) == count and not now & (without or set())
            return now if good and all(self.count_sockets(pid, LISTENING) for pid in now) else None

        return eventually(found, timeout_s=60)


def _inodes(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(str(entry.readlink()).removeprefix("socket:[").removesuffix("]"))
    return found


@pytest.fixture(scope="module")
def gateway(stack: Stack) -> Iterator[Gateway]:
    """Two workers that the tests of this file share; each test leaves two that are ready."""
    made = Gateway(stack, "--workers", "2")
    made.ready(2)
    yield made
    made.process.terminate()
    assert made.process.wait(timeout=60) == 0


def test_the_kernel_spreads_connections_over_the_workers_and_none_to_the_launcher(gateway: Gateway) -> None:
    workers = gateway.ready(2)
    with contextlib.ExitStack() as held:
        for _ in range(400):
            held.enter_context(socket.create_connection((embedded.LOOPBACK, gateway.port)))

        def counted() -> dict[int, int] | None:
            found = {pid: gateway.count_sockets(pid, ESTABLISHED) for pid in workers}
            return found if sum(found.values()) == 400 else None

        # Two hundred each, with a standard deviation of ten.
        assert min(eventually(counted).values()) > 140
        assert gateway.count_sockets(gateway.process.pid, ESTABLISHED) == 0


def test_a_worker_that_was_killed_is_replaced(gateway: Gateway) -> None:
    killed = min(gateway.ready(2))
    os.kill(killed, signal.SIGKILL)
    gateway.ready(2, without={killed})
    assert httpx.get(gateway.url + "/version").status_code == 200


def test_a_renewal_fails_no_request(gateway: Gateway) -> None:
    before = gateway.ready(2)
    with calling(keep_calling, gateway.url) as kept, calling(call_anew, gateway.url) as anew:
        eventually(lambda: kept and anew)
        gateway.process.send_signal(signal.SIGHUP)
        gateway.ready(2, without=before)
        count = len(kept), len(anew)
        eventually(lambda: len(kept) > count[0] and len(anew) > count[1])
    assert set(kept) == set(anew) == {"200"}


def test_workers_that_are_ended_one_by_one_fail_no_request_and_tell_their_sockets(
    gateway: Gateway, stack: Stack
) -> None:
    address = gateway.url.replace("http", "ws") + "/ws/predictions"
    before = gateway.ready(2)
    with contextlib.ExitStack() as held:
        sockets = [
            held.enter_context(connect(address, additional_headers={"X-API-Key": stack.key}))
            for _ in range(20)
        ]
        assert {receive(one)["type"] for one in sockets} == {"welcome"}
        streams = [
            held.enter_context(calling(call, gateway.url)) for call in (keep_calling, call_anew, keep_reading)
        ]
        eventually(lambda: all(len(stream) > 20 for stream in streams))
        for worker in sorted(before):
            others = gateway.workers() - {worker}
            os.kill(worker, signal.SIGTERM)
            gateway.ready(2, without=before - others)
        for one in sockets:
            with pytest.raises(ConnectionClosed) as closed:
                receive(one)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        counts = [len(stream) for stream in streams]
        eventually(lambda: all(len(stream) > counts[n] for n, stream in enumerate(streams)))
    for stream in streams:
        assert set(stream) == {"200"}


@contextlib.contextmanager
def calling(call: Callable[[str, threading.Event, list[str]], None], url: str) -> Iterator[list[str]]:
    """Calls in a thread: what came of each, a status or an exception."""
    outcomes: list[str] = []
    enough = threading.Event()
    thread = threading.Thread(target=call, args=(url, enough, outcomes))
    thread.start()
    try:
        yield outcomes
    finally:
        enough.set()
        thread.join()


def keep_calling(url: str, enough: threading.Event, outcomes: list[str]) -> None:
    """One call after the other, on a connection that is kept as long as the server keeps it."""
    with httpx.Client(base_url=url, timeout=60) as client:
        while not enough.wait(_PAUSE_S):
            try:
                outcomes.append(str(client.get("/version").status_code))
            except httpx.ConnectError:
                outcomes.append(NOBODY_LISTENS)
            except httpx.HTTPError as error:
                outcomes.append(repr(error))


def keep_reading(url: str, enough: threading.Event, outcomes: list[str]) -> None:
    """Hot reads without a pause, on a connection that is kept as long as the server keeps it."""
    with httpx.Client(base_url=url, timeout=60) as client:
        while not enough.is_set():
            try:
                outcomes.append(str(client.get("/api/predictions?symbols=AAPL").status_code))
            except httpx.ConnectError:
                outcomes.append(NOBODY_LISTENS)
                return
            except httpx.HTTPError as error:
                outcomes.append(repr(error))


def call_anew(url: str, enough: threading.Event, outcomes: list[str]) -> None:
    """One call after the other, on a connection each."""
    while not enough.wait(_PAUSE_S):
        with contextlib.closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)) as one:
            try:
                one.request("GET", "/health/live")
                outcomes.append(str(one.getresponse().status))
            except ConnectionRefusedError:
                outcomes.append(NOBODY_LISTENS)
            except (OSError, http.client.HTTPException) as error:
                outcomes.append(repr(error))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_under_load_fails_no_request_and_tells_every_socket(stack: Stack, workers: str) -> None:
    gateway = Gateway(stack, "--workers", workers)
    gateway.ready(int(workers))
    address = gateway.url.replace("http", "ws") + "/ws/predictions"
    key = {"X-API-Key": stack.key}
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(connect(address, additional_headers=key)) for _ in range(20)]
        assert {receive(one)["type"] for one in sockets} == {"welcome"}
        streams = [
            held.enter_context(calling(call, gateway.url))
            for call in (keep_calling, call_anew, keep_reading) * 3
        ]
        eventually(lambda: all(len(stream) > 20 for stream in streams))
        gateway.process.send_signal(signal.SIGTERM)
        # 30 s is what container hosts give before they kill.
        assert gateway.process.wait(timeout=60) == 0
        eventually(lambda: all(stream[-1] == NOBODY_LISTENS for stream in streams))
        closes = set()
        for one in sockets:
            with pytest.raises(ConnectionClosed) as closed:
                receive(one)
            closes.add(closed.value.rcvd and closed.value.rcvd.code)
    assert closes == {1012}
    for stream in streams:
        assert set(stream) == {"200", NOBODY_LISTENS}


def test_a_launcher_for_http_ends_well_and_what_is_under_way_is_answered(stack: Stack) -> None:
    gateway = Gateway(stack, "--workers", "1", "--role", "web")
    (worker,) = gateway.ready(1)
    with pytest.raises(InvalidStatus) as refused:
        connect(gateway.url.replace("http", "ws") + "/ws/predictions")
    assert refused.value.response.status_code == 404
    assert b"serves no WebSockets" in refused.value.response.body

    with socket.create_connection((embedded.LOOPBACK, gateway.port), timeout=60) as slow:
        slow.sendall(
            b"POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        assert slow.recv(100).startswith(b"HTTP/1.1 100")
        gateway.process.send_signal(signal.SIGINT)
        eventually(lambda: not embedded.is_listening(gateway.port))
        slow.sendall(b"{}")
        answer = b"".join(iter(lambda: slow.recv(1000), b""))
    assert answer.startswith(b"HTTP/1.1 422")
    assert b"connection: close" in answer.lower()
    assert gateway.process.wait(timeout=60) == 0
    assert not Path(f"/proc/{worker}").exists()


def test_a_launcher_for_sockets_that_is_killed_leaves_no_worker(stack: Stack) -> None:
    gateway = Gateway(stack, "--workers", "1", "--role", "ws")
    (worker,) = gateway.ready(1)
    refused = httpx.get(f"{gateway.url}/api/predictions?symbols=AAPL", headers={"X-Request-ID": "asked-123"})
    assert refused.status_code == 404
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["x-request-id"] == refused.json()["request_id"] == "asked-123"
    assert "serves WebSockets only" in refused.json()["detail"]
    for path in ("/health/live", "/health/ready", "/version"):
        assert httpx.get(gateway.url + path).status_code == 200
    address = gateway.url.replace("http", "ws") + "/ws/predictions"
    with connect(address, additional_headers={"X-API-Key": stack.key}, close_timeout=1) as opened:
        assert receive(opened)["type"] == "welcome"

    gateway.process.kill()
    gateway.process.wait(timeout=60)
    eventually(lambda: not Path(f"/proc/{worker}").exists())
    assert not embedded.is_listening(gateway.port)


def test_a_single_process_ends_in_good_order_on_sighup(own_stack: Stack) -> None:
    web = own_stack.start_web()
    with own_stack.socket() as socket:
        web.send_signal(signal.SIGHUP)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert web.wait(20) == 0
