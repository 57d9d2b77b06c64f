"""Lines reach the descriptor in their order and whole, and whoever logs never waits for it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from observability.log_sink import PIPE_BUF, Sink


def test_a_file_gets_everything_in_its_order(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    sink = Sink(descriptor)
    lines = [b"%d\n" % number for number in range(10_000)]
    assert all(sink.put(line) for line in lines)
    assert sink.flush(10)
    assert (tmp_path / "log").read_bytes() == b"".join(lines)
    os.close(descriptor)


def test_a_full_pipe_gets_everything_in_its_order_once_it_is_read() -> None:
    reading, writing = os.pipe()
    sink = Sink(writing)
    lines = [b"%0*d\n" % (size, number) for number, size in enumerate([100, PIPE_BUF, 10_000] * 20)]
    assert all(sink.put(line) for line in lines)
    assert not sink.flush(0.05)
    read = b""
    while len(read) < len(b"".join(lines)):
        read += os.read(reading, 65_536)
    assert read == b"".join(lines)
    assert sink.flush(10)


def test_whoever_shares_the_pipe_may_make_it_unblocking() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    sink = Sink(writing)
    assert all(sink.put(b"x" * 999 + b"\n") for _ in range(200))
    read = b""
    while len(read) < 200_000:
        read += os.read(reading, 65_536)
    assert sink.flush(10)


def test_more_than_is_allowed_to_wait_is_not_taken() -> None:
    _, writing = os.pipe()
    sink = Sink(writing, most_bytes=10_000)
    taken = 0
    while sink.put(b"x" * 999 + b"\n"):
        taken += 1
    assert not sink.has_room
    assert taken < 100


def test_a_closed_descriptor_stops_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    sink = Sink(writing)
    assert sink.put(b"to nobody\n")
    os.close(writing)
    assert sink.put(b"to nobody\n")
    assert sink.flush(10)


def test_many_threads_mix_no_lines() -> None:
    reading, writing = os.pipe()
    sink = Sink(writing)

    def write(mark: bytes) -> None:
        for _ in range(500):
            sink.put(mark * 99 + b"\n")

    threads = [threading.Thread(target=write, args=(mark,)) for mark in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    read = b""
    while len(read) < 200_000:
        read += os.read(reading, 65_536)
    for thread in threads:
        thread.join(timeout=60)
    assert {len(set(line)) for line in read.splitlines()} == {1}
    assert {len(line) for line in read.splitlines()} == {99}
