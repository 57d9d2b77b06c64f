"""What our protocols do that uvicorn's do not: an end and a bound for every peer, and frames at once.

A real server in the test's own loop, the one that the gateway runs on, with a tiny ASGI application. Server
and peer are of no use to other tests and stand above these: that is why this file is long.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Self

import pytest
import uvicorn

from gateway_project import bounded_http, draining, embedded, security_headers, websocket_protocol
from gateway_project.websocket_protocol import MOST_FRAMES_PER_S
from realtime import wire
from tests.integration.frame_cases import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    closing,
    fragments,
    frame,
)
from tests.loops import WITHIN_S, on_uvloop

SOON_S = 0.05

HANDSHAKE = (
    b"GET /socket HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
LARGE = b"x" * 100_000
"""With buffers as small as these a few of them block a peer that does not read."""


class Served:
    """A server whose application answers when it may and keeps what it is told; its own listener, too."""

    def __init__(self, **settings: Any) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked = asyncio.Event()
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.send: Any = None
        self.frames: Any = None
        self._listener = socket.create_server((embedded.LOOPBACK, 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8_192)
        self.address: tuple[str, int] = self._listener.getsockname()
        config = uvicorn.Config(
            self._answer,
            http=draining.HttpProtocol,
            ws=websocket_protocol.WebSocketProtocol,
            ws_per_message_deflate=False,
            ws_max_size=200_000,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
            **settings,
        )
        config.load()
        self.server = uvicorn.Server(config)
        self._ending: asyncio.Task[None] | None = None

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.asked.set()
            await self.may_answer.wait()
            headers = [(b"content-length", b"2")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"ok"})
            return
        self.send, self.frames = send, scope["extensions"][wire.EXTENSION]
        self.frames.listener = self
        while True:
            message = await receive()
            self.told.put_nowait(message)
            if message["type"] == "websocket.disconnect":
                return
            await self.may_answer.wait()
            if message["type"] == "websocket.connect":
                await send({"type": "websocket.accept"})

    def on_blocked(self) -> None:
        self.heard.put_nowait("blocked")

    def on_writable(self) -> None:
        self.heard.put_nowait("writable")

    def on_lost(self) -> None:
        self.heard.put_nowait("lost")

    async def ends_with(self, code: int) -> None:
        """The application is told that the socket has gone; what it is told before does not count."""
        while (message := await self.told.get())["type"] != "websocket.disconnect":
            pass
        assert message["code"] == code

    async def is_sent(self, expected: str | bytes) -> None:
        """The application gets a message; what it gets before does not count."""
        while expected not in (await self.told.get()).values():
            pass

    async def has_read_enough(self) -> None:
        """A message waits for the application, and the server reads no more."""
        while not self.frames.read_paused:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)

    async def block(self) -> int:
        """Write until the peer takes no more; returns how many frames of `LARGE` that took."""
        for count in range(1, 1_000):
            self.frames.write(wire.frame(LARGE))
            if not self.heard.empty():
                assert await self.heard.get() == "blocked"
                return count
        raise AssertionError("it takes everything")

    async def start(self) -> None:
        self.server.lifespan = self.server.config.lifespan_class(self.server.config)
        await self.server.startup([self._listener])

    async def end(self) -> None:
        """Once, however often it is asked."""
        self._ending = self._ending or asyncio.create_task(self.server.shutdown([self._listener]))
        await self._ending

    def abort(self) -> None:
        """Leave nothing open after a test that failed: uvloop waits for it for ever."""
        for listening in self.server.servers:
            listening.close()
        for one in list(self.server.server_state.connections):
            one.transport.abort()


class Peer:
    """The other end, with small buffers: bytes out, frames in, and it reads only when it is asked to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, address: tuple[str, int]) -> Self:
        """A connection on which nothing is said yet."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.connect(address)
        return cls(*await asyncio.open_connection(sock=sock, limit=1))

    async def send(self, *pieces: bytes) -> None:
        """As many writes, of which the server can read each by itself."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            await asyncio.sleep(0)

    async def send_for_ever(self) -> None:
        """Raises ConnectionError once the server is gone."""
        while True:
            await self.send(b"more")

    async def shake_hands(self) -> None:
        """Open a WebSocket."""
        await self.send(HANDSHAKE + b"\r\n")
        head = await self.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head

    async def until(self, end: bytes) -> bytes:
        """What comes, up to `end`."""
        data = b""
        while not data.endswith(end):
            data += await self._reader.readexactly(1)
        return data

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload; EOFError when there is none."""
        first, size = await self._reader.readexactly(2)
        more = {126: 2, 127: 8}.get(size)
        if more:
            size = int.from_bytes(await self._reader.readexactly(more), "big")
        return first & 0x0F, await self._reader.readexactly(size)

    async def frames(self, count: int) -> list[tuple[int, bytes]]:
        """So many."""
        return [await self.frame() for _ in range(count)]

    async def rest(self) -> bytes:
        """What comes until the server ends the connection, in whatever way."""
        rest = b""
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(65_536):
                rest += data
        return rest

    def leave(self) -> None:
        """Without a word."""
        self._writer.transport.abort()


@contextlib.asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[tuple[Served, Peer]]:
    """A server and a peer that is connected; the server ends first."""
    server = Served(**settings)
    await server.start()
    peer = await Peer.connect(server.address)
    try:
        yield server, peer
        await server.end()
    finally:
        server.abort()
        peer.leave()


@contextlib.asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[tuple[Served, Peer]]:
    """A server and a peer with a WebSocket to it."""
    async with served(**settings) as (server, peer):
        await peer.shake_hands()
        yield server, peer


@on_uvloop
async def test_frames_written_at_once_arrive_in_order_with_those_sent_through_asgi() -> None:
    payloads = [b"%d" % n * n for n in range(200)] + [b"y" * 65_535, b"z" * 65_536]
    async with opened() as (server, peer):
        reading = asyncio.create_task(peer.frames(len(payloads)))
        for n, payload in enumerate(payloads):
            if n % 3:
                server.frames.write(wire.frame(payload))
            else:
                await server.send({"type": "websocket.send", "text": payload.decode()})
        assert await reading == [(TEXT, payload) for payload in payloads]


@on_uvloop
async def test_what_is_sent_through_asgi_waits_for_a_peer_that_does_not_read() -> None:
    async def send_all() -> None:
        for _ in range(50):
            await server.send({"type": "websocket.send", "bytes": LARGE})

    async with opened() as (server, peer):
        server.frames.listener = None
        sending = asyncio.create_task(send_all())
        assert await peer.frames(50) == [(BINARY, LARGE)] * 50
        await sending


@on_uvloop
async def test_a_close_is_told_at_both_ends_and_nothing_follows_it() -> None:
    async with opened() as (server, peer):
        server.frames.close(4400, "why")
        server.frames.write(wire.frame(b"late"))
        server.frames.close(1000, "again")
        await server.ends_with(4400)
        await peer.send(frame(TEXT, b"late"), closing(4400))
        assert await peer.frame() == (CLOSE, struct.pack("!H", 4400) + b"why")
        assert await peer.rest() == b""
        assert await server.heard.get() == "lost"


@on_uvloop
async def test_the_answer_to_a_close_is_heard_while_the_application_is_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket_protocol, "CLOSE_WITHIN_S", 2 * WITHIN_S)
    async with opened() as (server, peer):
        server.may_answer.clear()
        await peer.send(frame(TEXT, b"work"))
        await server.is_sent("work")
        await peer.send(frame(TEXT, b"more"))
        await server.has_read_enough()
        server.frames.close(4401, "")
        await peer.send(closing(4401))
        assert await server.heard.get() == "lost"
        server.may_answer.set()


@pytest.mark.parametrize("reads", [True, False])
@on_uvloop
async def test_a_peer_that_does_not_answer_a_close_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, reads: bool
) -> None:
    monkeypatch.setattr(websocket_protocol, "CLOSE_WITHIN_S", SOON_S)
    async with opened() as (server, peer):
        if not reads:
            await server.block()
        server.frames.close(4503, "")
        assert await server.heard.get() == "lost"
        if reads:
            assert await peer.rest() == b"\x88\x02" + struct.pack("!H", 4503)


@on_uvloop
async def test_the_listener_hears_that_a_peer_does_not_read_and_that_it_reads_again() -> None:
    async with opened() as (server, peer):
        count = await server.block()
        server.frames.write(wire.frame(b"last"))
        assert await peer.frames(count + 1) == [(TEXT, LARGE)] * count + [(TEXT, b"last")]
        assert await server.heard.get() == "writable"


@pytest.mark.parametrize("says_so", [True, False])
@on_uvloop
async def test_the_listener_hears_once_that_the_peer_has_gone(says_so: bool) -> None:
    async with opened() as (server, peer):
        if says_so:
            await peer.send(closing(1001))
        else:
            peer.leave()
        await server.ends_with(1001 if says_so else 1005)
        assert await server.heard.get() == "lost"
        assert server.heard.empty()


@pytest.mark.parametrize("after_our_close", [False, True])
@on_uvloop
async def test_a_peer_that_was_refused_and_does_not_go_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, after_our_close: bool
) -> None:
    monkeypatch.setattr(websocket_protocol, "CLOSE_WITHIN_S", SOON_S)
    async with opened() as (server, peer):
        if after_our_close:
            server.frames.close(1002, "")
        await peer.send(frame(TEXT, b"broken", reserved=1))
        opcode, reason = await peer.frame()
        assert (opcode, reason[:2]) == (CLOSE, struct.pack("!H", 1002))
        assert await peer.rest() == b""
        with pytest.raises(ConnectionError):
            await peer.send_for_ever()


@on_uvloop
async def test_a_refusal_arrives_although_more_is_on_its_way() -> None:
    async with opened() as (_, peer):
        await peer.send(frame(BINARY, bytes(5_000_000)))
        opcode, reason = await peer.frame()
        assert (opcode, reason[:2]) == (CLOSE, struct.pack("!H", 1009))
        assert await peer.rest() == b""


@pytest.mark.parametrize("bad", [frame(TEXT, b"\xff"), b"".join(fragments(TEXT, b"\xce", b"\xce", b"\xba"))])
@on_uvloop
async def test_text_that_is_no_utf_8_ends_the_socket_without_a_word_in_the_log(
    bad: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened() as (server, peer):
        await peer.send(frame(TEXT, b"good") + bad * 2 + frame(BINARY, b"late"))
        opcode, reason = await peer.frame()
        assert (opcode, reason[:2]) == (CLOSE, struct.pack("!H", 1007))
        await server.ends_with(1007)
        assert await peer.rest() == b""
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


@pytest.mark.parametrize(
    ("before", "flood"),
    [
        (frame(TEXT, b"begun", fin=False), frame(PING)),
        (frame(TEXT, b"begun", fin=False), frame(0xA)),
        (frame(TEXT, b"begun", fin=False), frame(0, fin=False)),
        (b"", frame(TEXT)),
        (b"", frame(BINARY)),
    ],
    ids=["pings", "pongs", "fragments", "texts", "binaries"],
)
@on_uvloop
async def test_a_flood_of_frames_that_cost_the_peer_nothing_cuts_it_off(before: bytes, flood: bytes) -> None:
    async with opened() as (_, peer):
        await peer.send(before, flood * (2 * MOST_FRAMES_PER_S))
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            async with asyncio.timeout(5):
                while True:
                    await peer.frame()


@pytest.mark.parametrize(
    "ending",
    [
        frame(CLOSE, struct.pack("!H", 1000)),
        frame(3),
        frame(TEXT, b"\xff"),
        frame(PING, b"x" * 126),
        frame(CLOSE, b"x"),
        None,
    ],
    ids=["in good order", "no opcode", "no UTF-8", "long ping", "short close", "cut off"],
)
@on_uvloop
async def test_a_connection_that_came_and_went_leaves_nothing_to_the_collector(ending: bytes | None) -> None:
    gc.disable()
    try:
        for _ in range(2):  # what is made once is made by the first
            before = _living()
            async with opened() as (server, peer):
                await peer.send(frame(TEXT, b"hello"))
                await server.is_sent("hello")
                if ending is not None:
                    await peer.send(ending)
                    await peer.rest()
                server.send = server.frames = None  # the hold of the test itself
            left = _living() - before
    finally:
        gc.enable()
    assert left == Counter()


def _living() -> Counter[str]:
    """What a connection is made of; counted, since a collection would hide what it has freed."""
    made = ("HttpProtocol", "WebSocketProtocol", "_CarefulHandshakes", "Frame", "ProtocolError")
    names = (type(one).__name__ for one in gc.get_objects())
    return Counter(name for name in names if name in made)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@on_uvloop
async def test_fragments_are_one_buffer_however_many_they_are(opcode: int) -> None:
    async with opened() as (server, peer):
        first, *empty, last = fragments(opcode, b"first", *[b""] * 500, b"last")
        await peer.send(b"".join([first, *empty, frame(PING)]))
        assert await peer.frame() == (PONG, b"")
        assert len(server.frames.frames) == 1
        await peer.send(last)
        await server.is_sent(b"firstlast" if opcode == BINARY else "firstlast")


@on_uvloop
async def test_a_peer_that_does_not_read_is_owed_the_newest_pong_alone() -> None:
    async with opened() as (server, peer):
        count = await server.block()
        await peer.send(b"".join(frame(PING, b"%d" % n) for n in range(1_000)), frame(TEXT, b"all"))
        await server.is_sent("all")
        assert await peer.frames(count) == [(TEXT, LARGE)] * count
        assert await peer.frame() == (PONG, b"999")
        await peer.send(frame(PING, b"again"))
        assert await peer.frame() == (PONG, b"again")


@on_uvloop
async def test_a_peer_that_leaves_without_having_read_gets_pong_and_close_in_this_order() -> None:
    async with opened() as (server, peer):
        count = await server.block()
        await peer.send(frame(PING, b"last") + closing(1000))
        assert await server.heard.get() == "lost"
        await peer.frames(count)
        assert await peer.frames(2) == [(PONG, b"last"), (CLOSE, struct.pack("!H", 1000))]


@on_uvloop
async def test_a_server_ends_although_a_peer_has_closed_and_does_not_read() -> None:
    async with opened() as (server, peer):
        await server.block()
        await peer.send(closing(1000))
        assert await server.heard.get() == "lost"
        await server.end()


@on_uvloop
async def test_a_server_that_ends_tells_the_others_1012() -> None:
    async with opened() as (server, peer):
        await server.end()
        assert await peer.frame() == (CLOSE, struct.pack("!H", 1012))


@on_uvloop
async def test_a_peer_that_answers_no_ping_is_cut_off() -> None:
    async with opened(ws_ping_interval=SOON_S, ws_ping_timeout=SOON_S) as (server, _):
        await server.block()
        assert await server.heard.get() == "lost"
        await server.ends_with(1005)


@pytest.mark.parametrize("by", ["a broken frame", "a close of ours"])
@on_uvloop
async def test_a_socket_that_ends_before_it_is_accepted_is_cut_off(
    by: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with served() as (server, peer):
        server.may_answer.clear()
        await peer.send(HANDSHAKE + b"\r\n")
        assert (await server.told.get())["type"] == "websocket.connect"
        if by == "a broken frame":
            await peer.send(frame(TEXT, b"early", reserved=1))
        else:
            server.frames.close(1012, "")
        assert await peer.rest() == b""
        assert await server.heard.get() == "lost"
        server.may_answer.set()
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (HANDSHAKE.replace(b"/socket", b"/" + b"a" * 9_000), 414),
        (HANDSHAKE + b"Cookie: " + b"a" * 9_000 + b"\r\n", 431),
        (HANDSHAKE + b"X: y\r\n" * 200, 431),
        (HANDSHAKE + b"Content-Length: 5\r\n", 400),
        (HANDSHAKE + b"Transfer-Encoding: chunked\r\n", 400),
        (HANDSHAKE.replace(b"Key", b"No-Key"), 400),
        (HANDSHAKE.replace(b"GET", b"POST"), 405),
    ],
    ids=["a long path", "a long header", "many headers", "a body", "chunks", "no key", "a POST"],
)
@on_uvloop
async def test_a_handshake_that_cannot_be_read_is_answered_and_does_not_hold_the_server_up(
    request_: bytes, status: int
) -> None:
    async with served() as (server, peer):
        await peer.send(request_ + b"\r\nhello")
        head, _, text = (await peer.rest()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status), head
        assert b"Connection: close" in head
        for name, value in security_headers.OF_DATA:
            assert head.lower().count(b"\r\n%b: %b" % (name, value.lower())) == 1
        assert text.startswith(b"Failed to open a WebSocket connection: ")
        await server.end()


WHOLE = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
MORE = b"X-Header: more\r\n" * 1_000


@pytest.mark.parametrize("said", [b"", b"GE", WHOLE[:-2], WHOLE + WHOLE[:-1]])
@on_uvloop
async def test_a_peer_that_sends_half_a_request_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(bounded_http, "HEADERS_WITHIN_S", SOON_S)
    async with served() as (_, peer):
        await peer.send(said)
        assert (await peer.rest()).endswith(b"ok" if WHOLE in said else b"")


@on_uvloop
async def test_a_head_may_come_byte_by_byte() -> None:
    async with served() as (_, peer):
        await peer.send(*[bytes((byte,)) for byte in WHOLE.replace(b"test", b"test\r\nConnection: close")])
        assert (await peer.rest()).startswith(b"HTTP/1.1 200 ")


@on_uvloop
async def test_heads_are_measured_one_by_one() -> None:
    async with served() as (_, peer):
        for _ in range(3):
            await peer.send(WHOLE[:-2], MORE, MORE, b"\r\n")
            assert (await peer.until(b"ok")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("more", "status"),
    [([MORE] * 100, 431), ([MORE * 3, b"\0" + MORE * 3], 400)],
    ids=["endless", "malformed"],
)
@on_uvloop
async def test_a_head_without_an_end_is_refused(more: list[bytes], status: int) -> None:
    async with served() as (_, peer):
        await peer.send(WHOLE[:-2], *more)
        assert (await peer.rest()).startswith(b"HTTP/1.1 %d " % status)


@on_uvloop
async def test_a_head_that_is_too_large_is_refused_though_it_comes_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounded_http, "MAX_HEAD_BYTES", 1_000)
    async with served() as (_, peer):
        await peer.send(WHOLE[:-2] + b"X: " + b"a" * 500 + b"\r\n\r\n")
        assert (await peer.until(b"ok")).startswith(b"HTTP/1.1 200 ")
        await peer.send(WITH_A_BODY.replace(b"10", b"5000") + bytes(5_000))
        assert (await peer.until(b"ok")).startswith(b"HTTP/1.1 200 ")
        await peer.send(WHOLE[:-2] + b"X: " + b"a" * 1_000 + b"\r\n\r\n" + WHOLE)
        assert (await peer.rest()).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("before", [b"", WHOLE])
@on_uvloop
async def test_a_head_that_is_too_large_is_refused_in_whatever_pieces_it_comes(
    monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    monkeypatch.setattr(bounded_http, "MAX_HEAD_BYTES", 1_000)
    line = b"X: " + b"a" * 600 + b"\r\n"
    async with served() as (_, peer):
        await peer.send(before + WHOLE[:-2] + line, line + b"\r\n")
        told = await peer.rest()
        assert told.count(b"HTTP/1.1 200 ") == bool(before)
        assert told.count(b"HTTP/1.1 431 ") == 1


@contextlib.asynccontextmanager
async def under_way() -> AsyncIterator[tuple[Served, Peer]]:
    """A server that has been asked for `WHOLE` by its peer, and has not answered yet."""
    async with served() as (server, peer):
        server.may_answer.clear()
        await peer.send(WHOLE)
        await server.asked.wait()
        yield server, peer


@pytest.mark.parametrize("bad", [b"no request\r\n\r\n", b"CONNECT test:1 HTTP/1.1\r\n\r\n"])
@on_uvloop
async def test_what_cannot_be_read_is_not_told_as_the_answer_to_another_request(bad: bytes) -> None:
    async with under_way() as (server, peer):
        await peer.send(bad)
        assert await peer.rest() == b""
        server.may_answer.set()


@on_uvloop
async def test_a_handshake_behind_an_answer_under_way_opens_no_socket() -> None:
    async with under_way() as (server, peer):
        await peer.send(HANDSHAKE + b"\r\n")
        server.may_answer.set()
        for _ in range(2):
            assert (await peer.until(b"ok")).startswith(b"HTTP/1.1 200 ")
        assert server.told.empty()


@on_uvloop
async def test_a_head_without_an_end_behind_another_request_is_cut_off() -> None:
    async with under_way() as (server, peer):
        with pytest.raises(ConnectionError):
            await peer.send(WHOLE[:-2], *[MORE] * 1_000)
        server.may_answer.set()


WITH_A_BODY = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n"


@pytest.mark.parametrize("waits_s", [0, 3 * SOON_S], ids=["at once", "later"])
@on_uvloop
async def test_a_body_that_comes_after_the_answer_is_discarded(
    monkeypatch: pytest.MonkeyPatch, waits_s: float
) -> None:
    monkeypatch.setattr(bounded_http, "BODY_REST_WITHIN_S", 2 * SOON_S)
    async with served() as (_, peer):
        for _ in range(2):
            await peer.send(WITH_A_BODY)
            assert (await peer.until(b"ok")).startswith(b"HTTP/1.1 200 ")
            await peer.send(b"GET /", b"67890")
            await asyncio.sleep(waits_s)
        await peer.send(WHOLE)
        assert (await peer.until(b"ok")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("said", [WITH_A_BODY, WITH_A_BODY + b"12345"])
@on_uvloop
async def test_a_body_that_does_not_come_after_the_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(bounded_http, "BODY_REST_WITHIN_S", SOON_S)
    async with served() as (_, peer):
        await peer.send(said)
        assert (await peer.rest()).count(b"HTTP/1.1 200 ") == 1


CHUNKS = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"


@pytest.mark.parametrize("more", [b"X: y\r\n" * 1_000, b"x" * 8_000], ids=["many", "one"])
@on_uvloop
async def test_trailers_without_an_end_cut_the_peer_off(more: bytes) -> None:
    async with served() as (_, peer):
        with pytest.raises(ConnectionError):
            await peer.send(CHUNKS, b"0\r\nX: ", *[more] * 1_000)


@on_uvloop
async def test_chunks_and_a_trailer_may_come_byte_by_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "MAX_HEAD_BYTES", 100)
    rest = b"1\r\na\r\n" * 50 + b"0\r\nX: y\r\n\r\n"
    async with served() as (_, peer):
        await peer.send(CHUNKS, *[bytes((byte,)) for byte in rest])
        assert (await peer.until(b"ok")).startswith(b"HTTP/1.1 200 ")
        await peer.send(WHOLE)
        assert (await peer.until(b"ok")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("first", "then"),
    [(WHOLE, b"\r\n"), (WITH_A_BODY, b"0123456789"), (WHOLE, b"")],
    ids=["an empty line", "a body", "nothing"],
)
@on_uvloop
async def test_a_connection_is_closed_where_no_request_follows(first: bytes, then: bytes) -> None:
    async with served(timeout_keep_alive=1) as (_, peer):
        await peer.send(first)
        assert (await peer.until(b"ok")).startswith(b"HTTP/1.1 200 ")
        await peer.send(then)
        async with asyncio.timeout(WITHIN_S):
            assert await peer.rest() == b""


OFFER = b"Connection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n"


@pytest.mark.parametrize("is_split", [False, True])
@pytest.mark.parametrize(
    ("length", "body"),
    [
        (b"Content-Length: %d" % len(WHOLE), WHOLE),
        (b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(WHOLE), WHOLE)),
    ],
    ids=["in one piece", "in chunks"],
)
@on_uvloop
async def test_an_offer_of_another_protocol_is_passed_over(
    length: bytes, body: bytes, is_split: bool
) -> None:
    """What a proxy takes for a body is no request, however it arrives."""
    head = WITH_A_BODY.replace(b"Content-Length: 10\r\n", OFFER + length + b"\r\n")
    async with served() as (_, peer):
        await peer.send(*((head, body) if is_split else (head + body,)))
        assert (await peer.until(b"ok")).startswith(b"HTTP/1.1 200 ")
        await peer.send(WHOLE.replace(b"test", b"test\r\nConnection: close, Upgrade\r\nUpgrade: h2c"))
        assert (await peer.rest()).count(b"HTTP/1.1 200 ") == 1
