"""One socket: a healthy peer is written to at once, a slow one waits in its outbox, a dead one is let go."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from realtime import protocol
from realtime.batches import Update
from realtime.connection import Connection


class Peer:
    """The server's side of a socket as uvicorn has it: `send` waits while the write buffer is full."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.closed_with: int | None = None
        self.writable = asyncio.Event()
        self.writable.set()
        self.gone = False

    async def send(self, message: dict[str, Any]) -> None:
        await self.writable.wait()
        if self.gone:
            raise OSError("client disconnected")
        if message["type"] == "websocket.close":
            self.closed_with = message["code"]
        else:
            self.got.append(json.loads(message["text"]))

    @property
    def seqs(self) -> list[int]:
        """What arrived, by its number."""
        return [frame["seq"] for frame in self.got if "seq" in frame]


def update(seq: int, symbol: str = "AAPL", epoch: str = "e") -> Update:
    """An update whose document tells its number."""
    return Update(symbol, seq, epoch, json.dumps({"symbol": symbol, "seq": seq}).encode())


def tell(connection: Connection, told: Update) -> None:
    """As the hub does it."""
    connection.update(told, protocol.prediction_update(told.document))


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_healthy_peer_is_written_to_without_a_task() -> None:
    peer = Peer()
    connection = Connection("1", peer.send)
    before = len(asyncio.all_tasks())
    for seq in range(3):
        tell(connection, update(seq))
    assert peer.seqs == [0, 1, 2]
    assert len(asyncio.all_tasks()) == before


async def test_a_slow_peer_gets_everything_in_order_once_it_reads_again() -> None:
    peer = Peer()
    connection = Connection("1", peer.send)
    peer.writable.clear()
    for seq in range(5):
        tell(connection, update(seq))
    connection.tell(protocol.pong("p"))
    assert peer.got == []
    peer.writable.set()
    await settle()
    assert peer.seqs == [0, 1, 2, 3, 4]
    assert {"type": "pong", "id": "p"} in peer.got
    tell(connection, update(5))
    assert peer.seqs[-1] == 5


async def test_beyond_the_buffer_the_oldest_are_dropped_and_the_peer_is_told_how_many() -> None:
    peer = Peer()
    connection = Connection("1", peer.send)
    peer.writable.clear()
    for seq in range(protocol.MAX_OUTBOX + 11):
        tell(connection, update(seq))
    peer.writable.set()
    await settle()
    # The first was on its way already; ten were dropped to make room.
    assert peer.seqs == [0, *range(11, protocol.MAX_OUTBOX + 11)]
    assert peer.got[-1] == {"type": "warning", "code": "UPDATES_DROPPED", "dropped": 10}


async def test_a_peer_that_asks_without_reading_is_given_up() -> None:
    peer = Peer()
    connection = Connection("1", peer.send)
    peer.writable.clear()
    for _ in range(protocol.MAX_OUTBOX + 2):
        connection.tell(protocol.pong(None))
    assert connection.closed


async def test_a_peer_that_is_gone_costs_nothing_more() -> None:
    for slow in (False, True):
        peer = Peer()
        connection = Connection("1", peer.send)
        if slow:
            peer.writable.clear()
            tell(connection, update(1))
        peer.gone = True
        peer.writable.set()
        tell(connection, update(2))
        await settle()
        assert connection.closed
        tell(connection, update(3))
        connection.tell(protocol.pong(None))
        await connection.close(protocol.Close.RESTART, "")
        connection.gone()
        assert peer.got == []


async def test_close_comes_after_what_was_sent_and_only_once() -> None:
    peer = Peer()
    connection = Connection("1", peer.send)
    connection.tell(protocol.error("X", "why"))
    await connection.close(protocol.Close.FORBIDDEN, "r" * 500)
    await connection.close(protocol.Close.RESTART, "")
    assert peer.got[0]["code"] == "X"
    assert peer.closed_with == 4403


async def test_close_and_gone_give_up_a_send_under_way() -> None:
    for end in ("close", "gone"):
        peer = Peer()
        connection = Connection("1", peer.send)
        peer.writable.clear()
        tell(connection, update(1))
        peer.gone = True
        if end == "gone":
            connection.gone()
        else:
            closing = asyncio.ensure_future(connection.close(protocol.Close.RESTART, ""))
            peer.writable.set()
            await closing
        await settle()
        assert connection.closed


@pytest.mark.parametrize(
    ("snapshot", "overtaken_by", "later", "expected"),
    [
        (5, None, [6], [5, 6]),  # nothing live meanwhile
        (5, None, [5, 6], [5, 6]),  # the snapshot ran ahead of the live flow
        (5, None, [3, 4, 5, 6], [5, 6]),
        (5, ("e", 6), [7], [7]),  # a live update has overtaken the snapshot
        (5, ("e", 5), [6], [6]),
        (5, ("e", 4), [5, 6], [5, 6]),
        (5, ("older life", 900), [6], [5, 6]),
    ],
)
async def test_a_snapshot_and_live_updates_are_told_once_and_forward(
    snapshot: int, overtaken_by: tuple[str, int] | None, later: list[int], expected: list[int]
) -> None:
    peer = Peer()
    connection = Connection("1", peer.send)
    connection.snapshot(update(snapshot), overtaken_by)
    for seq in later:
        tell(connection, update(seq))
    assert peer.seqs == expected


async def test_what_arrives_while_a_snapshot_is_read_is_sent_and_remembered() -> None:
    peer = Peer()
    connection = Connection("1", peer.send)
    connection.pending["AAPL"] = None
    tell(connection, update(7))
    tell(connection, update(1, "MSFT"))
    assert peer.seqs == [7, 1]
    assert connection.pending["AAPL"] == ("e", 7)
    connection.symbols.add("AAPL")
    connection.forget("AAPL")
    assert not connection.pending
    assert not connection.symbols


async def test_an_inner_failure_reaches_the_send_that_was_resumed() -> None:
    class Odd:
        async def send(self, message: dict[str, Any]) -> None:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                cancelled.append(message)
                raise

    cancelled: list[dict[str, Any]] = []
    connection = Connection("1", Odd().send)
    tell(connection, update(1))
    await settle()
    connection.gone()
    await settle()
    assert len(cancelled) == 1
