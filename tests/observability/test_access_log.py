"""A line for each answered request and ended socket: what it tells, and that it never holds anybody up."""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from observability import access_log
from observability.access_lines import Socket
from observability.log_sink import PIPE_BUF, Sink

REQUEST: dict[str, Any] = {
    "request_id": "request-1",
    "method": "GET",
    "route": "prediction",
    "path": "/api/prediction/AAPL",
    "status": 200,
    "seconds": 0.0012345,
    "bytes_in": 0,
    "bytes_out": 312,
    "caller": "key 0000000000000000000007",
    "account_id": 7,
    "tier": "pro",
    "address": "192.0.2.7",
    "agent": b"curl/8",
}
SOCKET = Socket(
    at_s=1_767_225_600.5,
    request_id="request-2",
    connection="c-1",
    caller="user ann",
    account_id=7,
    address="192.0.2.7",
    code=4503,
    reason="SLOW_READER",
    seconds=12.3456,
    sent=10,
    dropped=2,
)


def close_pipe(sink: Sink, writing: int) -> None:
    """Close the end of a pipe that is written to; a sink may hold it a second time."""
    os.close(writing)
    if sink._unblocking is not None:
        os.close(sink._unblocking)


class Pipe:
    """A pipe behind a sink, read to its end when that is asked for."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self.sink = Sink(self.writing, most_bytes=200_000)
        self.pieces: list[bytes] = []
        self._reader = threading.Thread(target=self._read)

    def read(self) -> None:
        """Begin to read."""
        self._reader.start()

    def text(self) -> str:
        """All that was written."""
        if not self._reader.is_alive():
            self.read()
        assert self.sink.flush(10)
        close_pipe(self.sink, self.writing)
        self._reader.join(timeout=60)
        return b"".join(self.pieces).decode()

    def lines(self) -> list[dict[str, Any]]:
        """As JSON."""
        return [json.loads(line) for line in self.text().splitlines()]

    def _read(self) -> None:
        while piece := os.read(self.reading, 65_536):
            self.pieces.append(piece)
        os.close(self.reading)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe that nobody reads yet."""
    access_log._notes.waiting.clear()
    yield Pipe()
    access_log._notes.waiting.clear()
    access_log._notes.dropped = 0


async def soon(check: Callable[[], object]) -> None:
    """Return when `check` is true."""
    async with asyncio.timeout(20):
        while not check():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_request_is_told_with_who_what_and_how_long(pipe: Pipe) -> None:
    access_log.start_current(pretty=False, sink=pipe.sink)
    access_log.note(**REQUEST)
    await access_log.stop_current()
    (line,) = pipe.lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line == {
        "level": "info",
        "logger": "access",
        "event": "request",
        "request_id": "request-1",
        "method": "GET",
        "route": "prediction",
        "path": "/api/prediction/AAPL",
        "status": 200,
        "duration_ms": 1.234,
        "bytes_in": 0,
        "bytes_out": 312,
        "key": "0000000000000000000007",
        "account_id": 7,
        "tier": "pro",
        "address": "192.0.2.7",
        "user_agent": "curl/8",
    }


async def test_a_socket_is_told_at_its_end(pipe: Pipe) -> None:
    access_log.start_current(pretty=False, sink=pipe.sink)
    access_log.note_socket(SOCKET)
    await access_log.stop_current()
    assert pipe.lines() == [
        {
            "timestamp": "2026-01-01T00:00:00.500Z",
            "level": "info",
            "logger": "access",
            "event": "socket",
            "request_id": "request-2",
            "connection": "c-1",
            "key": None,
            "account_id": 7,
            "address": "192.0.2.7",
            "code": 4503,
            "duration_s": 12.346,
            "sent": 10,
            "dropped": 2,
            "user": "ann",
            "reason": "SLOW_READER",
        }
    ]


async def test_people_get_a_line_for_people(pipe: Pipe) -> None:
    access_log.start_current(pretty=True, sink=pipe.sink)
    access_log.note(**REQUEST)
    access_log.note(**{**REQUEST, "caller": "anonymous", "path": "/a\nb"})
    access_log.note_socket(SOCKET)
    await access_log.stop_current()
    first, second, third = (line.partition(" [info     ] ")[2] for line in pipe.text().splitlines())
    who = "to key 0000000000000000000007 at 192.0.2.7 [access] request_id=request-1"
    assert first == f"GET /api/prediction/AAPL 200 in 1.2 ms, 312 bytes {who}"
    assert "GET /a\\nb 200" in second
    assert "to nobody at" in second
    assert third.startswith("socket of user ann at 192.0.2.7 closed: 4503 SLOW_READER after 12 s, 10 updates")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/a\r\nb\x1b[31m\u2028", "/a\\r\\nb\\x1b[31m\\u2028"),
        ("/" + "x" * 300, "/" + "x" * 255),
        ("/pgw_live_" + "a" * 60, "/pgw_live_***"),
        ("/token=abc", "/token=***"),
        ("/ü", "/ü"),
    ],
)
async def test_a_path_is_bounded_escaped_and_holds_no_secret(pipe: Pipe, path: str, shown: str) -> None:
    access_log.start_current(pretty=False, sink=pipe.sink)
    access_log.note(**{**REQUEST, "path": path, "agent": path.encode()})
    await access_log.stop_current()
    (line,) = pipe.lines()
    assert line["path"] == shown
    assert len(line["user_agent"]) <= 100


async def test_probes_are_of_the_level_debug(pipe: Pipe) -> None:
    access_log.start_current(pretty=False, sink=pipe.sink)
    access_log.note(**{**REQUEST, "route": "health"})
    await access_log.stop_current()
    assert pipe.lines()[0]["level"] == "debug"


async def test_lines_are_written_without_being_asked_for(pipe: Pipe) -> None:
    pipe.read()
    access_log.start_current(pretty=False, sink=pipe.sink)
    access_log.note(**REQUEST)
    await soon(lambda: pipe.pieces)
    await access_log.stop_current()
    assert len(pipe.lines()) == 1


async def test_a_pipe_gets_whole_lines_in_pieces_that_are_not_mixed_with_others(pipe: Pipe) -> None:
    put: list[bytes] = []
    note_a_hundred(pipe, Recorder(put))
    await access_log.stop_current()
    assert sum(piece.count(b"\n") for piece in put) == 100
    assert len(put) > 1
    assert all(len(piece) <= PIPE_BUF and piece.endswith(b"\n") for piece in put)
    close_pipe(pipe.sink, pipe.writing)
    os.close(pipe.reading)


async def test_what_the_sink_has_no_room_for_waits_and_at_the_end_it_is_counted(
    pipe: Pipe, caplog: pytest.LogCaptureFixture
) -> None:
    put: list[bytes] = []
    writer = note_a_hundred(pipe, Recorder(put, room=2))
    writer.write(100)
    written = sum(piece.count(b"\n") for piece in put)
    assert len(put) == 2
    assert len(access_log._notes.waiting) == 100 - written > 0
    await access_log.stop_current()
    assert not access_log._notes.waiting
    assert [record.__dict__["dropped"] for record in caplog.records] == [100 - written]
    close_pipe(pipe.sink, pipe.writing)
    os.close(pipe.reading)


def note_a_hundred(pipe: Pipe, recorder: Recorder) -> access_log._Writer:
    """The writer of a hundred requests, whose lines `recorder` gets."""
    access_log.start_current(pretty=False, sink=pipe.sink)
    for _ in range(100):
        access_log.note(**REQUEST)
    writer = access_log._writers.existing()
    assert writer is not None
    writer._sink = recorder  # type: ignore[assignment] # it writes, and nothing else is asked of it
    return writer


class Recorder:
    """A sink that keeps what it gets, and has room for so many pieces."""

    def __init__(self, put: list[bytes], *, room: int = 1_000) -> None:
        self._put = put
        self._room = room

    @property
    def has_room(self) -> bool:
        """Whether another piece is taken."""
        return len(self._put) < self._room

    def put(self, piece: bytes) -> bool:
        """Keep it."""
        self._put.append(piece)
        return True


async def test_a_stderr_that_nobody_reads_stops_nothing_and_what_is_lost_is_counted(
    pipe: Pipe, caplog: pytest.LogCaptureFixture
) -> None:
    access_log.start_current(pretty=False, sink=pipe.sink)
    noted = 3 * access_log.MOST_WAITING
    for number in range(noted):
        access_log.note(**{**REQUEST, "status": number})
        if number % 100 == 0:
            await asyncio.sleep(0)
    assert not pipe.sink.has_room
    assert len(access_log._notes.waiting) == access_log.MOST_WAITING
    pipe.read()
    await soon(lambda: caplog.records and not access_log._notes.waiting)
    await access_log.stop_current()
    lines = pipe.lines()
    (told,) = [record for record in caplog.records if "access log dropped" in record.message]
    assert len(lines) + told.__dict__["dropped"] == noted
    statuses = [line["status"] for line in lines]
    assert statuses == sorted(set(statuses))
    assert lines[-1]["status"] == noted - 1
