"""One socket as the hub sees it: what is written at once, what waits, and when its reader is given up.

1. A frame that may go goes at once, without a task. Updates are paced: so many frames a second, with a burst
   of as many.
2. What may not go yet waits in the outbox, and an alarm comes back to it.
3. A reader that takes nothing for `SLOW_AFTER_S` is left the newest of each symbol, and is closed after
   `GIVEN_UP_AFTER_S`. Nobody else ever waits for it.

Longer than most modules: whether a frame may go, waits or is not wanted is one decision over one state; what
waits is apart from it (`realtime.outbox`), and so is how it gets to the peer (`realtime.wire`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from observability import metrics
from realtime import wire
from realtime.alarms import NEVER, Alarms
from realtime.batches import Update
from realtime.known import Known
from realtime.lag import Lag
from realtime.outbox import Item, Lane, Outbox, Snapshot, Source
from realtime.pace import Pace
from realtime.protocol import limits, messages
from realtime.protocol.codes import Close, Code, Warned
from realtime.protocol.messages import Gap, Message
from realtime.terms import Terms
from realtime.wire import Listener, Wire

logger = logging.getLogger(__name__)

_WARN_EVERY_S = 1.0


@dataclass(slots=True)
class Peer:
    """Who is at the other end, for the log and the admin; `name` and `account` once it is known."""

    address: str
    agent: str
    since: datetime
    name: str = ""
    account_id: int | None = None


class Connection:
    """A socket that was accepted. Not safe to share between event loops."""

    __slots__ = (
        "_alarms",
        "_blocked_since",
        "_dropped",
        "_is_clear",
        "_known",
        "_lag",
        "_lane_is_next",
        "_outbox",
        "_pace",
        "_warned_at",
        "_wire",
        "_write",
        "closed",
        "heard_at",
        "id",
        "peer",
        "sent",
        "symbols",
        "wakes_at",
    )

    def __init__(
        self,
        connection_id: str,
        peer: Peer,
        *,
        alarms: Alarms,
        lag: Lag,
        reach: Callable[[Listener], Wire],
    ) -> None:
        self.id = connection_id
        self.peer = peer
        self.symbols: dict[str, Terms] = {}
        self.closed = False
        # Updates that were written to the wire.
        self.sent = 0
        # When the client's last frame came, by the loop's clock.
        self.heard_at = alarms.now()
        self.wakes_at = NEVER
        self._alarms = alarms
        self._lag = lag
        # Made when something has to wait: most sockets never need one.
        self._outbox: Outbox | None = None
        self._dropped = 0
        self._blocked_since: float | None = None
        self._warned_at = 0.0
        self._lane_is_next = True
        # What the peer has already of a symbol, and the live flow may still bring.
        self._known: dict[str, Known] = {}
        # True while a plain update may simply be written.
        self._is_clear = True
        self._pace = Pace(limits.FRAMES_OUT_PER_S)
        self._wire = reach(self)
        self._write = self._wire.write

    def pace(self, frames_per_s: int) -> None:
        """From now on at most so many frames of updates a second, with a burst of as many."""
        self._pace = Pace(frames_per_s)

    def lasts_s(self, frames: int) -> float:
        """How long so many frames of updates take at this socket's pace."""
        return self._pace.lasts_s(frames)

    @property
    def dropped(self) -> int:
        """Updates that the peer has not got and will not get."""
        return self._dropped + (self._outbox.dropped if self._outbox else 0)

    @property
    def waiting(self) -> int:
        """Updates in the buffer."""
        return len(self._outbox) if self._outbox else 0

    def behind_us(self, wall_us: int) -> int:
        """How old the oldest update is that waits, in microseconds; 0 where none does."""
        oldest = self._outbox.oldest if self._outbox else None
        return 0 if oldest is None else wall_us - (oldest.published_us or oldest.bridged_us or wall_us)

    # What the hub brings

    def deliver(self, update: Update, framed: bytes, now: float) -> bool:
        """Send a live update, of which `framed` is the plain frame; False if it has to wait."""
        if self._is_clear and update.symbol not in self._known and now >= self._pace.next_free:
            self._pace.spend(now)
            self.sent += 1
            self._write(framed)
            return True
        if not self._is_known(update):
            self._box.put(update)
            self._flush(now)
        return False

    def offer(self, update: Update, terms: Terms, now: float) -> None:
        """Send a live update on other terms than the plain ones."""
        if self._is_known(update):
            return
        if terms.mode == "all":
            self._box.put(update)
            self._flush(now)
            return
        lane = self._box.lane(terms.mode, terms.interval_s)
        if terms.mode == "batch":
            self._box.put_batched(lane, update)
        else:
            lane.marked[update.symbol] = update
        self._alarms.set(self, self._due_at(lane, now))

    def mark(self, update: Update, source: Source, now: float) -> bool:
        """`update` is new: the interval's end will ask `source` what is then. False where the peer has it."""
        if self._is_known(update):
            return False
        lane = self._box.lane("latest", self.symbols[update.symbol].interval_s)
        lane.marked[update.symbol] = source
        self._alarms.set(self, self._due_at(lane, now))
        return True

    def gap(self, gap: Gap, now: float) -> None:
        """Tell of a gap, in its place among the updates."""
        known = self._known.get(gap.symbol)
        if known is None or known.told or known.until < (gap.epoch, gap.to):
            self._tell_gap(gap, now)

    def late(self, update: Update, gap: Gap, heard: int, now: float) -> None:
        """Tell of `update`, which came behind a newer one of its symbol: `heard` was the last then."""
        known = self._known.get(update.symbol)
        if known is None or not known.has(update, heard=heard):
            self._tell_gap(gap, now)

    def _tell_gap(self, gap: Gap, now: float) -> None:
        terms = self.symbols[gap.symbol]
        if self.closed or terms.mode == "latest":
            return
        if terms.mode == "batch":
            lane = self._box.lane(terms.mode, terms.interval_s)
            self._box.put_batched(lane, gap)
            self._alarms.set(self, self._due_at(lane, now))
        else:
            self._box.put(gap)
            self._flush(now)

    def owe(self, items: Iterable[Item], terms: Terms) -> None:
        """Send what this peer has a right to by a subscription on `terms`, before all that is live."""
        if self.closed:
            return
        wanted = [item for item in items if _passes(item, terms)]
        if terms.mode == "latest":
            wanted = list({(type(item), item.symbol): item for item in wanted}.values())
        elif terms.mode == "batch":
            lane = self._box.lane(terms.mode, terms.interval_s)
            for item in wanted:
                if isinstance(item, Update):
                    self._box.put_batched(lane, item)
            wanted = [item for item in wanted if not isinstance(item, Update)]
        self._box.owe(wanted)
        self._flush(self._alarms.now())

    def knows(self, symbol: str, known: Known) -> None:
        """The peer has that of `symbol` already."""
        self._known[symbol] = known
        self._refresh()

    def hasten(self, symbols: Iterable[str]) -> int:
        """What waits of `symbols`, whatever for, is to be sent now; how many that were."""
        hastened = 0 if self._outbox is None else self._outbox.hasten(symbols, self)
        if hastened:
            self._flush(self._alarms.now())
        return hastened

    def forget(self, symbols: Iterable[str]) -> None:
        """What waits of `symbols` is not wanted any more."""
        if self._outbox is not None:
            self._outbox.forget(symbols)
        for symbol in symbols:
            self._known.pop(symbol, None)
        self._refresh()

    # What the consumer says

    def tell(self, message: Message) -> None:
        """Send an answer, a warning or an error."""
        self.tell_frame(messages.encode(message))

    def tell_frame(self, payload: bytes) -> None:
        """Send an encoded message that is neither paced nor dropped."""
        if self.closed:
            return
        if self._blocked_since is None:
            self._write(wire.frame(payload))
            return
        self._box.put_control(payload)
        if self._box.overflowing:
            self._give_up()

    def refuse(self, code: Code, detail: str, close: Close) -> None:
        """Say why, then close: a client library shows its user the frame, not the handshake."""
        if not self.closed:
            metrics.socket_closes.labels(int(close)).inc()
            last = wire.frame(messages.encode(messages.Error(code, detail)))
            self._end().close(int(close), str(code), last)

    def close(self, close: Close, reason: str = "") -> None:
        """Close the socket after what was sent before; `reason` is at most 123 bytes."""
        if not self.closed:
            metrics.socket_closes.labels(int(close)).inc()
            self._end().close(int(close), reason)

    # What the wire and the alarms say

    def on_blocked(self) -> None:
        """The peer takes no more for now."""
        self._blocked_since = self._alarms.now()
        self._is_clear = False
        self._alarms.set(self, self._blocked_since + limits.SLOW_AFTER_S)

    def on_writable(self) -> None:
        """It does again."""
        self._blocked_since = None
        self._flush(self._alarms.now())

    def on_lost(self) -> None:
        """The peer is gone: nothing is sent any more."""
        self._end()

    def wake(self, now: float) -> None:
        """What waited may go now; or the reader has taken nothing for too long."""
        if self.closed:
            return
        if self._blocked_since is None:
            self._flush(now)
        elif now - self._blocked_since >= limits.GIVEN_UP_AFTER_S:
            self._give_up()
        else:
            if now - self._blocked_since >= limits.SLOW_AFTER_S:
                self._box.conflate()
            self._alarms.set(self, now + 1.0)

    @property
    def _box(self) -> Outbox:
        if self._outbox is None:
            self._outbox = Outbox(limits.MAX_OUTBOX)
        return self._outbox

    @property
    def _may_write(self) -> bool:
        return self._blocked_since is None and not self.closed

    def _is_known(self, update: Update) -> bool:
        """True for an update that must not be sent: nobody is there, or the peer has it already."""
        if self.closed:
            return True
        known = self._known.get(update.symbol) if self._known else None
        if known is None:
            return False
        if update.place <= known.until:
            if not known.has(update, heard=update.seq - 1):
                self._tell_gap(known.gap_around(update), self._alarms.now())
            return True
        del self._known[update.symbol]
        self._refresh()
        if known.may_miss:
            self._tell_gap(Gap(update.symbol, known.seq, update.seq, update.epoch), self._alarms.now())
        return False

    def _flush(self, now: float) -> None:
        """Write what may go, and come back for the rest."""
        outbox = self._outbox
        if outbox is None or self.closed:
            self._refresh()
            return
        while outbox.control and self._may_write:
            self._write(wire.frame(outbox.take_control()))
        while self._may_write:
            is_owed = outbox.owed > 0
            if not is_owed and now < self._pace.next_free:
                break
            payload = self._take_payload(outbox, now)
            if payload is None:
                break
            if not is_owed:
                self._pace.spend(now)
            self._write(wire.frame(payload))
        self._warn(outbox, now)
        self._set_alarm(outbox, now)
        self._refresh()

    def _take_payload(self, outbox: Outbox, now: float) -> bytes | None:
        """The next frame: what is owed, then in turn what waits in order and what waits for an interval."""
        lane = None if outbox.owed else self._due_lane(outbox, now)
        if lane is not None and (self._lane_is_next or not outbox.updates):
            self._lane_is_next = False
            return self._take_interval(lane, now)
        self._lane_is_next = True
        is_live = not outbox.owed
        item = outbox.take()
        if item is None:
            return None
        if isinstance(item, Gap):
            return messages.encode(item)
        wall_us = _wall_us()
        if is_live and isinstance(item, Update) and item.published_us is not None:
            self._lag.observe(wall_us - item.published_us, 1)
        return self._render(item, wall_us)

    def _due_lane(self, outbox: Outbox, now: float) -> Lane | None:
        return next((lane for lane in outbox.lanes.values() if len(lane) and lane.due <= now), None)

    def _due_at(self, lane: Lane, now: float) -> float:
        """When what waits in `lane` may go."""
        return max(lane.due, self._pace.next_free, now)

    def _take_interval(self, lane: Lane, now: float) -> bytes | None:
        """One frame with what has waited for the interval's end."""
        taken = lane.take(limits.MAX_OUTBOX, self)
        lane.due = now if len(lane) else now + lane.interval_s
        if not taken:
            return None
        if isinstance(taken[0], Gap):
            return messages.encode(taken[0])
        wall_us = _wall_us()
        frames = [self._render(one, wall_us) for one in taken if isinstance(one, Update)]
        return frames[0] if len(frames) == 1 else messages.batch(frames)

    def _render(self, item: Update | Snapshot, wall_us: int) -> bytes:
        """The frame of an update as this subscription wants it."""
        update = item.update if isinstance(item, Snapshot) else item
        self.sent += 1
        payload = update.frame
        if isinstance(item, Snapshot):
            payload = messages.as_snapshot(payload)
        if self.symbols[update.symbol].timing:
            return messages.with_times(
                payload, published_us=update.published_us, bridged_us=update.bridged_us, sent_us=wall_us
            )
        return payload

    def _warn(self, outbox: Outbox, now: float) -> None:
        """Say how many updates were dropped, once a second at most."""
        if outbox.dropped and self._may_write and now - self._warned_at >= _WARN_EVERY_S:
            dropped = outbox.take_dropped()
            self._dropped += dropped
            self._warned_at = now
            self._write(
                wire.frame(messages.encode(messages.Warning(Warned.UPDATES_DROPPED, dropped=dropped)))
            )

    def _set_alarm(self, outbox: Outbox, now: float) -> None:
        if not self._may_write:
            return
        times = [self._due_at(lane, now) for lane in outbox.lanes.values() if len(lane)]
        if outbox.updates:
            times.append(self._pace.next_free)
        if outbox.dropped:
            times.append(self._warned_at + _WARN_EVERY_S)
        if times:
            self._alarms.set(self, min(times))

    def _refresh(self) -> None:
        self._is_clear = (
            not self.closed
            and self._blocked_since is None
            and (self._outbox is None or not self._outbox.updates)
        )

    def _give_up(self) -> None:
        logger.warning("giving up a reader that takes nothing: socket %s of %s", self.id, self.peer.name)
        self.refuse(Code.SLOW_READER, "You have not read for too long.", Close.SLOW_READER)

    def _end(self) -> Wire:
        """Let go of everything; returns the wire."""
        was, self._wire = self._wire, wire.GONE
        self._write = wire.GONE.write
        self.closed = True
        self._is_clear = False
        self._outbox = None
        return was


def _passes(item: Item, terms: Terms) -> bool:
    """False for what `terms` leave out."""
    update = item.update if isinstance(item, Snapshot) else item
    return isinstance(update, Gap) or terms.passes(update)


def _wall_us() -> int:
    return time.time_ns() // 1000
