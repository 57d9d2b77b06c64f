"""One socket of the load client, given bytes in pieces of every size."""

from __future__ import annotations

import asyncio
from array import array
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from benchmarks.sockets import frames
from benchmarks.sockets.client import Member, Refused
from benchmarks.sockets.tally import Tally

SUBSCRIBE = frames.client_frame(frames.TEXT, b'{"action":"subscribe"}')
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
WELCOME = b'{"type":"welcome","protocol":1}'
SUBSCRIBED = b'{"type":"subscribed","symbols":["AAPL"]}'


def text(payload: bytes) -> bytes:
    """A text frame of a server."""
    return Frame(Opcode.TEXT, payload).serialize(mask=False)


def update(seq: int) -> bytes:
    """An update as the gateway writes it."""
    return b'{"type":"prediction_update","symbol":"AAPL","seq":%d,"epoch":"1a1fd1987a2"}' % seq


class Written:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.data = b""
        self.ended = False

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.data += data

    def close(self) -> None:
        """Keep that it ended."""
        self.ended = True

    abort = close


@dataclass
class Everybody:
    """The audience of a single member."""

    tally: Tally = field(default_factory=lambda: Tally(memoryview(array("q", [0] * 100)), 1, begun_ns=0))
    upgrade: bytes = b"GET / HTTP/1.1\r\n\r\n"


def joined() -> tuple[Member, Written, Everybody]:
    """A member whose connection has been made."""
    transport: Any = Written()
    everybody = Everybody()
    member = Member(everybody, SUBSCRIBE)
    member.connection_made(transport)
    return member, transport, everybody


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 50, 1000])
async def test_a_member_is_upgraded_welcomed_subscribed_and_counts_in_whatever_pieces(piece: int) -> None:
    member, transport, everybody = joined()
    batch = b'{"type":"batch","updates":[%b]}' % b",".join(map(update, (3, 4, 6)))
    flow = UPGRADED + b"".join(map(text, (WELCOME, SUBSCRIBED, update(1), update(2), batch)))

    for start in range(0, len(flow), piece):
        member.data_received(flow[start : start + piece])

    assert member.ready.done()
    assert transport.data == everybody.upgrade + SUBSCRIBE
    tally = everybody.tally
    assert (tally.delivered, tally.skipped, tally.frames) == (5, 1, 3)
    assert tally.notices == []


async def test_a_ping_is_answered_with_its_payload() -> None:
    member, transport, everybody = joined()
    member.data_received(UPGRADED + Frame(Opcode.PING, b"1234").serialize(mask=False))

    assert transport.data == everybody.upgrade + frames.client_frame(frames.PONG, b"1234")


async def test_a_close_of_the_server_is_noted_once_with_its_code() -> None:
    member, transport, everybody = joined()
    member.data_received(UPGRADED + text(WELCOME) + text(SUBSCRIBED))
    member.data_received(Frame(Opcode.CLOSE, b"\x03\xf4").serialize(mask=False))
    member.connection_lost(None)

    assert everybody.tally.closed == {1012: 1}
    assert transport.ended


async def test_a_close_that_was_asked_for_is_none() -> None:
    member, _, everybody = joined()
    member.data_received(UPGRADED + text(WELCOME) + text(SUBSCRIBED))
    member.leave()
    member.data_received(Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=False))
    member.connection_lost(None)

    assert everybody.tally.closed == {}


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 Service Unavailable\r\n\r\n",
        UPGRADED + Frame(Opcode.CLOSE, b"\x11\x31").serialize(mask=False),
    ],
)
async def test_a_member_that_is_not_let_in_knows_why(answer: bytes) -> None:
    member, _, _ = joined()
    member.data_received(answer)

    with pytest.raises(Refused, match=r"503|4401"):
        await member.ready


async def test_other_frames_are_kept_for_people() -> None:
    member, _, everybody = joined()
    member.data_received(UPGRADED + text(b'{"type":"gap","symbol":"AAPL","from":1,"to":5}'))

    assert everybody.tally.notices == ['{"type":"gap","symbol":"AAPL","from":1,"to":5}']
    assert not member.ready.done()
    member.ready.cancel()
    assert isinstance(member.ready, asyncio.Future)
