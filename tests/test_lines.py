"""The line that tests put between a client and a server: each toxic does to a socket what it says."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.lines import Bandwidth, Latency, LimitData, Line, Slicer, Timeout, line_to

WITHIN_S = 60.0


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(65_536):
                self.request.sendall(data)


@pytest.fixture
def line() -> Iterator[Line]:
    """A line to a server that sends back what it is sent."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with line_to(f"tcp://127.0.0.1:{server.server_address[1]}") as made:
            yield made
        server.shutdown()


@contextlib.contextmanager
def connected(line: Line) -> Iterator[socket.socket]:
    """A client that is through to the server."""
    with socket.create_connection(("127.0.0.1", line.port), timeout=WITHIN_S) as client:
        assert exchange(client, b"hello") == b"hello"
        yield client


def exchange(client: socket.socket, data: bytes) -> bytes:
    """What comes back for `data`, as much as it is."""
    client.sendall(data)
    got = b""
    while len(got) < len(data) and (more := client.recv(65_536)):
        got += more
    return got


def test_without_a_toxic_it_carries_and_ends_in_good_order(line: Line) -> None:
    with connected(line) as client:
        assert exchange(client, b"x" * 200_000) == b"x" * 200_000
        client.shutdown(socket.SHUT_WR)
        assert client.recv(10) == b""


def test_a_cut_resets_who_is_there_and_who_comes_until_it_is_mended(line: Line) -> None:
    with connected(line) as client:
        assert line.cut() == 1
        with pytest.raises(ConnectionResetError):
            client.recv(10)
    with pytest.raises(ConnectionError), connected(line):
        pass
    line.mend()
    with connected(line):
        pass


def test_latency_delays_every_byte_and_shortens_nothing(line: Line) -> None:
    with connected(line) as client:
        line.add(Latency(300))
        began = time.monotonic()
        assert exchange(client, b"later") == b"later"
        assert time.monotonic() - began >= 0.3


def test_a_half_open_connection_takes_everything_and_answers_nothing_also_later(line: Line) -> None:
    with connected(line) as client:
        line.add(Timeout())
        client.sendall(b"into the void")
        line.mend()
        with connected(line):
            pass
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(10)


def test_a_timeout_closes_what_it_has_silenced(line: Line) -> None:
    with connected(line) as client:
        line.add(Timeout(timeout_ms=50))
        with pytest.raises(ConnectionResetError):
            client.recv(10)


def test_a_limit_resets_in_the_middle_of_an_answer(line: Line) -> None:
    with connected(line) as client:
        line.add(LimitData(bytes=10))
        assert exchange(client, b"12345") == b"12345"
        client.sendall(b"abcdefghij")
        with pytest.raises(ConnectionResetError):  # it may overtake what was sent before it
            assert client.recv(10) == b"abcde" == client.recv(10)


def test_slices_and_a_narrow_band_change_nothing_but_the_time(line: Line) -> None:
    with connected(line) as client:
        line.add(Slicer(average_size=1_000), Bandwidth(rate_kb=100))
        began = time.monotonic()
        assert exchange(client, b"x" * 10_000) == b"x" * 10_000
        assert time.monotonic() - began >= 0.05


def test_a_disabled_line_refuses(line: Line) -> None:
    with connected(line) as client:
        line.disable()
        with pytest.raises(ConnectionResetError):
            client.recv(10)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", line.port), timeout=WITHIN_S)
    line.enable()
    with connected(line):
        pass
