"""RFC 6455 over a real server, byte by byte: what each peer hears, and how its connection ends."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Self
from urllib.parse import urlsplit

import pytest

from tests.conftest import surviving_stack
from tests.integration import frame_cases
from tests.integration.frame_cases import BINARY, CASES, CLOSE, PING, PONG, TEXT, Case, Heard, closing, frame
from tests.stack import Stack

_HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {key}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A gateway of these tests alone: at their end it still answers, and its log holds no trace."""
    with surviving_stack(tmp_path_factory.mktemp("frames") / "log") as (made, _):
        yield made


class Peer:
    """A client that writes bytes as they are, and reads what the server says frame by frame."""

    def __init__(self, stack: Stack) -> None:
        url = urlsplit(stack.socket_url)
        self._socket = socket.create_connection((url.hostname or "", url.port or 0), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self._socket.sendall(_HANDSHAKE.format(path=url.path, host=url.netloc, key=stack.key).encode())
        status = self._file.readline()
        assert b" 101 " in status, status
        while self._file.readline() != b"\r\n":
            pass
        kind, welcome = self._told(*self.read_frame())
        assert kind == "welcome", welcome

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def send(self, pieces: Sequence[bytes]) -> None:
        """Write each piece by itself; a server that has heard enough may be gone before the last."""
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                self._socket.sendall(piece)

    def hear(self, count: int) -> list[Heard]:
        """The next `count` frames, or as many as come before the connection ends."""
        heard: list[Heard] = []
        while len(heard) < count:
            try:
                heard.append(self._told(*self.read_frame()))
            except (EOFError, ConnectionError):
                break
        return heard

    def read_frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload; raises EOFError or ConnectionError at the end."""
        first, length = self._read(2)
        assert first & 0xF0 == 0x80, "the server neither fragments nor uses reserved bits"
        assert length < 128, "the server does not mask"
        if length == 126:
            (length,) = struct.unpack("!H", self._read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._read(8))
        return first & 0x0F, self._read(length)

    def _read(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def _told(self, opcode: int, payload: bytes) -> Heard:
        if opcode == PONG:
            return "pong", payload
        if opcode == CLOSE:
            payload[2:].decode()  # a reason is UTF-8
            return "close", struct.unpack("!H", payload[:2])[0] if payload else None
        assert opcode == TEXT, opcode
        message = json.loads(payload)
        match message["type"]:
            case "pong":
                return "answer", message["id"]
            case "error":
                assert message["detail"]
                return "error", message["code"]
        return message["type"], message


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_peer_hears_what_the_rfc_says_and_then_the_end(gateway: Stack, case: Case) -> None:
    with Peer(gateway) as peer:
        peer.send(case.sent)
        assert peer.hear(len(case.heard)) == case.heard
        is_closed = bool(case.heard) and case.heard[-1][0] == "close"
        peer.send([closing(1000)])
        # Who was not closed is still there and has heard nothing else; and after the close comes the end.
        assert peer.hear(2) == ([] if is_closed else [("close", 1000)])


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 40


def test_the_reason_of_a_close_comes_back(gateway: Stack) -> None:
    with Peer(gateway) as peer:
        peer.send([closing(4000, "até à próxima".encode())])
        assert peer.read_frame() == (CLOSE, struct.pack("!H", 4000) + "até à próxima".encode())


def test_the_eleventh_request_within_a_second_is_one_too_many_but_pings_are_not_counted(
    gateway: Stack,
) -> None:
    request = frame(TEXT, frame_cases.request())
    with Peer(gateway) as peer:
        peer.send([frame(PING, b"%d" % n) for n in range(50)])
        assert peer.hear(50) == [("pong", b"%d" % n) for n in range(50)]
        peer.send([request * 11])
        refusal = [("error", "TOO_FAST"), ("close", 4429)]
        assert peer.hear(12) == [frame_cases.ANSWER] * 10 + refusal


@pytest.mark.parametrize(
    ("last", "close"), [(closing(1000), 1000), (frame(BINARY, b"x", reserved=2), 1002)], ids=["7.1.1", "3.2"]
)
def test_a_request_is_answered_before_the_close_that_comes_after_it(
    gateway: Stack, last: bytes, close: int
) -> None:
    with Peer(gateway) as peer:
        peer.send([frame(TEXT, frame_cases.request())])
        assert peer.hear(1) == [frame_cases.ANSWER]
        peer.send([last])
        assert peer.hear(2) == [("close", close)]
