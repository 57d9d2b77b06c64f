"""Frames go to the peer at once, through a server of ours; and they are what a client reads."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from realtime import wire
from realtime.wire import DirectWire
from tests.realtime.peers import DEADLINE_S


class Ear:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.changed = asyncio.Event()

    def _hear(self, what: str) -> None:
        self.heard.append(what)
        self.changed.set()

    def on_blocked(self) -> None:
        """From the wire."""
        self._hear("blocked")

    def on_writable(self) -> None:
        """From the wire."""
        self._hear("writable")

    def on_lost(self) -> None:
        """From the wire."""
        self._hear("lost")

    async def until(self, what: str) -> None:
        """Wait until that is what was heard last."""
        async with asyncio.timeout(DEADLINE_S):
            while self.heard[-1:] != [what]:
                self.changed.clear()
                await self.changed.wait()


def parse(framed: bytes) -> list[Frame]:
    """The frames in `framed`, as the client of another house reads them."""
    client = ClientProtocol(parse_uri("ws://test/"), state=OPEN, max_size=None)
    client.receive_data(framed)
    assert client.parser_exc is None
    return [event for event in client.events_received() if isinstance(event, Frame)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_a_frame_is_what_a_client_reads_at_every_length(size: int) -> None:
    payload = b"x" * size
    framed = wire.frame(payload)
    assert parse(framed) == [Frame(Opcode.TEXT, payload, fin=True)]
    assert wire.payload_of(framed) == payload
    assert framed == Frame(Opcode.TEXT, payload).serialize(mask=False)


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_frames_stand_one_after_the_other(payloads: list[bytes]) -> None:
    framed = b"".join(map(wire.frame, payloads))
    assert [bytes(frame.data) for frame in parse(framed)] == payloads
    assert [wire.payload_of(wire.frame(payload)) for payload in payloads] == payloads


# Through a server of ours


class RecordingFrames:
    """What our server offers."""

    def __init__(self) -> None:
        self.listener: wire.Listener | None = None
        self.written: list[bytes] = []
        self.closed_with: tuple[int, str] | None = None

    def write(self, framed: bytes) -> None:
        """Keep it."""
        self.written.append(framed)

    def close(self, code: int, reason: str) -> None:
        """Keep it."""
        self.closed_with = (code, reason)


async def never(message: dict[str, Any]) -> None:
    """A `send` that nobody may call."""
    raise AssertionError(message)


def test_a_server_of_ours_gets_the_framed_bytes_as_they_are() -> None:
    frames, ear = RecordingFrames(), Ear()
    made = wire.wire_of({"extensions": {wire.EXTENSION: frames}}, never, ear)
    assert isinstance(made, DirectWire)
    assert frames.listener is made
    framed = wire.frame(b"{}")
    made.write(framed)
    assert frames.written == [framed]
    assert frames.written[0] is framed


def test_what_a_server_of_ours_says_is_passed_on() -> None:
    ear = Ear()
    made = DirectWire(RecordingFrames(), ear)
    states = [made.is_blocked]
    for say in (made.on_blocked, made.on_writable, made.on_lost):
        say()
        states.append(made.is_blocked)
    assert ear.heard == ["blocked", "writable", "lost"]
    assert states == [False, True, False, False]


@pytest.mark.parametrize("last", [b"", wire.frame(b'{"why":1}')])
def test_through_a_server_of_ours_the_close_comes_after_the_last_frame(last: bytes) -> None:
    frames = RecordingFrames()
    DirectWire(frames, Ear()).close(4401, "CREDENTIAL", last)
    assert frames.written == ([last] if last else [])
    assert frames.closed_with == (4401, "CREDENTIAL")


def test_a_wire_without_an_end_takes_everything_and_holds_nothing() -> None:
    wire.GONE.write(wire.frame(b"a"))
    wire.GONE.close(1012, "", wire.frame(b"last"))
    assert not wire.GONE.is_blocked
    assert vars(wire.GONE) == {}
