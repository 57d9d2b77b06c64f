"""The load client's frames, against those of the library `websockets`."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from benchmarks.sockets import frames

SIZES = [0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000]


def read_as_server(data: bytes) -> Frame:
    """What a server makes of a client's frame."""
    reader = StreamReader()
    reader.feed_data(data)
    parsing = Frame.parse(reader.read_exact, mask=True)
    with pytest.raises(StopIteration) as done:
        next(parsing)
    frame: Frame = done.value.value
    return frame


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_of_a_server_is_found_wherever_it_begins(size: int) -> None:
    payload = b"x" * size
    data = b"before" + Frame(Opcode.TEXT, payload).serialize(mask=False) + b"after"

    found = frames.next_frame(data, 6)

    assert found is not None
    opcode, begin, end = found
    assert opcode == frames.TEXT
    assert data[begin:end] == payload
    assert data[end:] == b"after"


@pytest.mark.parametrize("size", [0, 5, 126, 65_536])
def test_a_frame_is_waited_for_until_its_last_byte(size: int) -> None:
    data = Frame(Opcode.TEXT, b"x" * size).serialize(mask=False)

    for have in (*range(min(len(data), 20)), len(data) - 1):
        assert frames.next_frame(data[:have], 0) is None
    assert frames.next_frame(data, 0) is not None


@pytest.mark.parametrize(
    "data",
    [
        Frame(Opcode.TEXT, b"part", fin=False).serialize(mask=False),
        b"\xc1\x02hi",
        Frame(Opcode.TEXT, b"masked").serialize(mask=True),
    ],
    ids=["a fragment", "a reserved bit", "a mask"],
)
def test_a_frame_that_no_server_should_send_is_refused(data: bytes) -> None:
    with pytest.raises(frames.MalformedFrame):
        frames.next_frame(data, 0)


@pytest.mark.parametrize("size", SIZES)
def test_a_server_reads_what_the_client_sends(size: int) -> None:
    payload = bytes(place % 251 for place in range(size))

    frame = read_as_server(frames.client_frame(frames.TEXT, payload))

    assert frame.opcode is Opcode.TEXT
    assert bytes(frame.data) == payload


def test_the_code_of_a_close_is_read_and_1005_stands_for_none() -> None:
    assert frames.close_code(b"\x03\xf4restart") == 1012
    assert frames.close_code(b"") == 1005
