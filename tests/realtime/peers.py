"""The other ends of realtime: a clock moved by hand, wires that record, readers, numbered updates."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from predictions import documents
from predictions.documents import PredictionDocument
from realtime import wire
from realtime.alarms import Alarms
from realtime.batches import Update
from realtime.connection import Connection, Peer
from realtime.lag import Lag
from realtime.protocol import messages
from realtime.terms import PLAIN, Terms
from realtime.wire import Listener

EPOCH, LATER_EPOCH = "18f3a", "18f3b"
START_S = 1_000.0
DEADLINE_S = 10


class Timer:
    """A call that is to be made at a time."""

    def __init__(self, at: float, call: Callable[[], object]) -> None:
        self._at = at
        self.call = call
        self.is_cancelled = False

    def when(self) -> float:
        """Its time."""
        return self._at

    def cancel(self) -> None:
        """Not any more."""
        self.is_cancelled = True


class Clock:
    """The time and the timers of an event loop that only `advance` moves."""

    def __init__(self, now: float = START_S) -> None:
        self.now = now
        self.timers: list[Timer] = []

    def time(self) -> float:
        """As a loop has it."""
        return self.now

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """As a loop has it."""
        timer = Timer(when, callback)
        self.timers.append(timer)
        return timer

    @property
    def waiting(self) -> list[Timer]:
        """The timers that will go off."""
        self.timers = [timer for timer in self.timers if not timer.is_cancelled]
        return self.timers

    def advance(self, seconds: float) -> None:
        """Let the time pass: every timer goes off at its own."""
        until = self.now + seconds
        while (due := min(self.waiting, key=Timer.when, default=None)) is not None and due.when() <= until:
            self.timers.remove(due)
            self.now = max(self.now, due.when())
            due.call()
        self.now = until


class ManualAlarms(Alarms):
    """The alarms of a loop whose time the test moves."""

    def __init__(self, now: float = START_S) -> None:
        self.clock = Clock(now)
        with mock.patch.object(asyncio, "get_running_loop", return_value=self.clock):
            super().__init__()

    def advance(self, seconds: float) -> None:
        """Let the time pass, and wake who is to be woken, each at its time."""
        self.clock.advance(seconds)


class RecordingWire:
    """A wire that keeps what it gets, blocks when told, and allows nothing that a real one does not."""

    def __init__(self, listener: Listener, clock: Callable[[], float]) -> None:
        self.got: list[bytes] = []
        # When each of them came.
        self.times: list[float] = []
        self.closed_with: tuple[int, str] | None = None
        self.is_blocked = False
        # How many frames more until it blocks; None: without end.
        self.room: int | None = None
        # True: the peer is found to be gone by the next write.
        self.is_lost = False
        self.changed = asyncio.Event()
        self._listener = listener
        self._clock = clock

    def write(self, framed: bytes) -> None:
        """Keep a frame."""
        assert self.closed_with is None, "a frame was written after the close"
        assert not self.is_blocked, "a frame was written to a peer that takes none"
        if self.is_lost:
            self._listener.on_lost()
            return
        self._keep(framed)
        if self.room is not None:
            self.room -= 1
            if self.room <= 0:
                self.block()

    def close(self, code: int, reason: str, last: bytes = b"") -> None:
        """Keep how it was closed."""
        assert self.closed_with is None, "closed twice"
        if last:
            self._keep(last)
        self.closed_with = (code, reason)
        self.changed.set()

    def block(self) -> None:
        """The peer reads no more."""
        self.is_blocked = True
        self._listener.on_blocked()

    def unblock(self, room: int | None = None) -> None:
        """It reads again, `room` frames or all."""
        self.is_blocked = False
        self.room = room
        self._listener.on_writable()

    def lose(self) -> None:
        """The peer is gone."""
        self._listener.on_lost()

    def _keep(self, framed: bytes) -> None:
        assert framed == wire.frame(wire.payload_of(framed)), "no frame"
        self.got.append(wire.payload_of(framed))
        self.times.append(self._clock())
        self.changed.set()


class Reader:
    """A socket whose other end is the test."""

    def __init__(self, alarms: Alarms, *, lag: Lag | None = None, name: str = "1") -> None:
        self.wire: RecordingWire
        self._alarms = alarms
        self.connection = Connection(
            name,
            Peer("203.0.113.7", "tests", datetime(2026, 1, 1, tzinfo=UTC)),
            alarms=alarms,
            lag=lag or Lag(),
            reach=self._reach,
        )

    def _reach(self, listener: Listener) -> RecordingWire:
        self.wire = RecordingWire(listener, self._alarms.now)
        return self.wire

    def follow(self, *symbols: str, terms: Terms = PLAIN) -> None:
        """Follow them, as far as the connection knows of it."""
        self.connection.symbols.update(dict.fromkeys(symbols, terms))

    def deliver(self, *updates: Update) -> list[bool]:
        """Give it live updates on plain terms."""
        now = self._alarms.now()
        return [self.connection.deliver(one, wire.frame(one.frame), now) for one in updates]

    def offer(self, *updates: Update) -> None:
        """Give it live updates on the terms of their symbols."""
        for one in updates:
            self.connection.offer(one, self.connection.symbols[one.symbol], self._alarms.now())

    async def until(self, check: Callable[[], object]) -> None:
        """Wait until something that was written or closed makes that so."""
        async with asyncio.timeout(DEADLINE_S):
            while not check():
                self.wire.changed.clear()
                await self.wire.changed.wait()

    @property
    def frames(self) -> list[dict[str, Any]]:
        """What it got."""
        return [json.loads(payload) for payload in self.wire.got]

    @property
    def seqs(self) -> list[int]:
        """The numbers of the updates that it got, alone or in batches."""
        return [one["seq"] for frame in self.frames for one in updates_in(frame)]

    @property
    def gaps(self) -> list[tuple[str, int, int]]:
        """The gaps that it was told of."""
        return [(one["symbol"], one["from"], one["to"]) for one in self.frames if one["type"] == "gap"]

    @property
    def warnings(self) -> list[int]:
        """How many updates it was told to have missed, warning by warning."""
        return [one["dropped"] for one in self.frames if one["type"] == "warning"]

    @property
    def story(self) -> list[Any]:
        """Gaps as ``(from, to)``, snapshots as ``{seq}`` and updates as ``seq``, in the order they came."""
        return [part for frame in self.frames for part in _told_by(frame)]


def updates_in(frame: dict[str, Any]) -> list[dict[str, Any]]:
    """The updates that a frame holds."""
    found: list[dict[str, Any]] = frame.get("updates", [frame])
    return [one for one in found if one["type"] == "prediction_update"]


def _told_by(frame: dict[str, Any]) -> list[Any]:
    if frame["type"] == "gap":
        return [(frame["from"], frame["to"])]
    return [{one["seq"]} if "snapshot" in one else one["seq"] for one in updates_in(frame)]


def update(
    seq: int,
    symbol: str = "AAPL",
    *,
    epoch: str = EPOCH,
    confidence: float = 0.5,
    move_pct: float = 1.0,
    made_us: int | None = None,
    published_us: int | None = None,
    bridged_us: int | None = None,
) -> Update:
    """An update whose frame tells its number."""
    body = json.dumps({"symbol": symbol, "seq": seq, "epoch": epoch}).encode()
    return Update(
        symbol,
        seq,
        epoch,
        messages.update(body),
        confidence,
        move_pct,
        made_at(seq) if made_us is None else made_us,
        published_us,
        bridged_us,
    )


def updates(*seqs: int, symbol: str = "AAPL", epoch: str = EPOCH) -> list[Update]:
    """Updates of one symbol."""
    return [update(seq, symbol, epoch=epoch) for seq in seqs]


def made_at(seq: int) -> int:
    """When update or document `seq` was made, if it does not say otherwise."""
    return documents.epoch_micros(_made(seq))


def document(seq: int, symbol: str = "AAPL", *, epoch: str = EPOCH) -> PredictionDocument:
    """A prediction as the record has it."""
    return PredictionDocument(
        symbol=symbol,
        predicted_price=101.0,
        current_price=100.0,
        confidence=0.5,
        horizon="1d",
        model_version="test",
        timestamp=_made(seq),
        as_of=_made(seq),
        seq=seq,
        epoch=epoch,
    )


def _made(seq: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seq)
