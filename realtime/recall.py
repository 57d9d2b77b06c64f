"""What a new subscriber has a right to: what it missed since it was here last, or the newest values.

Nearly always both are in this process's memory and cost nothing. What is not is read first, a few reads at a
time however many ask, and the answer is put together afterwards in one step, with what came in meanwhile: so
there is neither a hole nor a repetition between it and the live flow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.db import Error as DatabaseFailure

from observability import blocking
from predictions import reads, record
from predictions.reads import NoStoreReachable
from predictions.symbols import MAX_SYMBOLS
from realtime import batches
from realtime.batches import Place, Update
from realtime.heard import Heard
from realtime.known import Known
from realtime.outbox import Item, Snapshot
from realtime.protocol.limits import MAX_RESUMED
from realtime.protocol.messages import Gap
from realtime.protocol.requests import Since
from realtime.recent import Recent

logger = logging.getLogger(__name__)

_MOST_SPAN = 100_000
"""A place further back than this is not read: the index would be walked for too long."""
_MOST_READS = 2
_MOST_WAITING = 50
_MOST_OWED_PER_S = 2_000
"""Frames that one socket gets by asking again and again for what it has missed."""


@dataclass(slots=True)
class Read:
    """What had to be read: newest values, and what was missed of the symbols that are behind them.

    `missed` is None where that is not known, or too much; `failed` says that no store could answer.
    """

    newest: dict[str, Update] = field(default_factory=dict)
    missed: list[Update] | None = field(default_factory=list)
    failed: bool = False
    # True where the place that was given is beyond all that was ever recorded.
    is_unknown: bool = False
    # Of these nothing was read, since memory had it.
    covered: Sequence[str] = ()


@dataclass(slots=True)
class Owed:
    """What a subscriber gets first, and what it has of a symbol that the live flow may still bring."""

    items: list[Item] = field(default_factory=list)
    known: dict[str, Known] = field(default_factory=dict)
    # True for all that was missed, and so for all that waits.
    is_resumed: bool = False

    @property
    def rest_s(self) -> float:
        """How long its subscriber waits for the answer to its next request, since this is not paced."""
        return len(self.items) / _MOST_OWED_PER_S


class Recall:
    """Answers from `recent`, and from the stores where that does not reach.

    `is_current` tells whether the live flow is whole right now: if not, the stores know newer values.
    """

    def __init__(self, recent: Recent, heard: Heard, *, is_current: Callable[[], bool]) -> None:
        self._recent = recent
        self._heard = heard
        self._is_current = is_current
        self._newest = _NewestReader()
        self._reading = asyncio.Semaphore(_MOST_READS)
        self._waiting = 0
        # Up to here something is known to be in the record.
        self._recorded: Place = ("", 0)
        self._asking = asyncio.Lock()

    async def read(self, symbols: Sequence[str], *, since: Since | None, snapshot: bool) -> Read:
        """Read what memory does not have of what is asked; returns at once where it has all."""
        found = Read()
        if since is not None:
            await self._read_since(found, symbols, since)
        elif snapshot:
            unknown = [symbol for symbol in symbols if self._recent.may_have_moved(symbol)]
            await self._read_newest(found, unknown if self._is_current() else symbols)
        return found

    def owed(self, symbols: Sequence[str], read: Read, *, since: Since | None, snapshot: bool) -> Owed:
        """What a subscriber of `symbols` is owed at this moment; it must be subscribed in the same step."""
        if since is not None:
            missed = self._missed(symbols, read, since)
            if missed is not None:
                owed = self._catch_up(symbols, missed, read, since)
            else:
                owed = self._skip(symbols, read, since)
            owed.is_resumed = True
            return owed
        owed = Owed()
        if snapshot:
            for symbol in symbols:
                if (update := self._newest_of(symbol, read)) is not None:
                    self._add_snapshot(owed, update)
        return owed

    async def _read_since(self, found: Read, symbols: Sequence[str], since: Since) -> None:
        """Newest values first, by one read for all who ask: most that memory does not cover has not moved."""
        uncovered = [symbol for symbol in symbols if not self._recent.covers(symbol, since)]
        found.covered = [symbol for symbol in symbols if symbol not in uncovered]
        await self._read_newest(found, uncovered)
        place = (since.epoch, max(since.of(symbol) for symbol in symbols) if symbols else 0)
        if not await self._was_recorded(place):
            found.is_unknown, found.missed = True, None
            await self._read_newest(found, symbols)
            return
        behind = [
            symbol
            for symbol in uncovered
            if (newest := found.newest.get(symbol)) is not None
            and newest.place > (since.epoch, since.of(symbol))
        ]
        if found.failed or any(found.newest[symbol].epoch != since.epoch for symbol in behind):
            found.missed = None
        elif behind or (uncovered and since.epoch > self._recent.epoch):
            found.missed = await self._read_missed(behind or uncovered, since)

    async def _was_recorded(self, place: Place) -> bool:
        """False for a place beyond all that is recorded: nobody can have seen that. True in doubt.

        Who comes from a process that is ahead of this one has seen what is in the record for certain.
        """
        if place <= max(self._recent.place, self._recorded):
            return True
        async with self._asking:  # one asks, and all who wait have the answer
            if place > self._recorded:
                try:
                    self._recorded = await blocking.run(record.last_place)
                except (DatabaseFailure, TimeoutError):
                    return True
        return place <= self._recorded

    async def _read_newest(self, found: Read, symbols: Sequence[str]) -> None:
        if symbols:
            try:
                found.newest = await self._newest.read(symbols)
            except (NoStoreReachable, TimeoutError):
                found.failed = True
            except Exception:
                # It would end the sockets of all who wait for the same read.
                logger.exception("newest values cannot be read")
                found.failed = True

    async def _read_missed(self, symbols: Sequence[str], since: Since) -> list[Update] | None:
        """What the record has after `since`; None where it cannot tell, or too many ask."""
        seen = {symbol: since.of(symbol) for symbol in symbols}
        is_far = self._recent.last_seq - min(seen.values()) > _MOST_SPAN
        if is_far or self._waiting >= _MOST_WAITING:
            return None
        self._waiting += 1
        try:
            async with asyncio.timeout(blocking.TIMEOUT_S), self._reading:
                return await blocking.run(_read_record, since.epoch, seen)
        except (DatabaseFailure, TimeoutError) as error:
            logger.warning("what was missed could not be read: %s", type(error).__name__)
            return None
        finally:
            self._waiting -= 1

    def _missed(self, symbols: Sequence[str], read: Read, since: Since) -> list[Update] | None:
        """Everything after `since`, in order; None where it is not known, or too much."""
        if read.missed is None or self._recent.epoch > since.epoch:
            return None
        if not all(self._recent.covers(symbol, since) for symbol in read.covered):
            return None  # it was forgotten while others were read
        by_place = {update.place: update for update in read.missed}
        by_place.update(
            (update.place, update) for update in self._recent.after(since, symbols, most=MAX_RESUMED)
        )
        return [by_place[place] for place in sorted(by_place)] if len(by_place) <= MAX_RESUMED else None

    def _catch_up(self, symbols: Sequence[str], missed: list[Update], read: Read, since: Since) -> Owed:
        owed = Owed()
        told: dict[str, set[int]] = {}
        for update in read.missed or ():
            told.setdefault(update.symbol, set()).add(update.seq)
        for symbol in symbols:
            self._add_late(owed, symbol, since)
            place = (since.epoch, since.of(symbol))
            # One that is further comes from a process that is ahead of this one.
            heard = (self._recent.epoch, self._recent.last_of(symbol) or 0)
            known = Known(*place, frozenset(told.get(symbol, ())))
            is_ahead = place > self._heard.told_by_all(self._recent.place)
            if is_ahead or (known.told and known.until > heard):
                owed.known[symbol] = known
        owed.items += missed
        return owed

    def _skip(self, symbols: Sequence[str], read: Read, since: Since) -> Owed:
        """A gap and the newest value, of each symbol that has moved on."""
        owed = Owed()
        for symbol in symbols:
            update = self._newest_of(symbol, read)
            has_failed = read.failed and symbol not in read.covered
            self._add_late(owed, symbol, since)
            seen = (since.epoch, since.of(symbol))
            last = (self._recent.epoch, self._recent.last_of(symbol) or 0)
            if update is not None and (read.is_unknown or max(update.place, last) > seen):
                owed.items.append(Gap(symbol, since.of(symbol), self._end_of_gap(update), update.epoch))
                self._add_snapshot(owed, update)
            elif update is not None or has_failed:
                owed.known[symbol] = Known(since.epoch, since.of(symbol), may_miss=has_failed)
        return owed

    def _add_late(self, owed: Owed, symbol: str, since: Since) -> None:
        """A gap where something came late, behind what was seen, since the subscriber has left."""
        seen = since.of(symbol) if since.epoch == self._recent.epoch else 0
        if (around := self._recent.late_around(symbol, seen)) is not None:
            owed.items.append(Gap(symbol, *around, since.epoch))

    def _end_of_gap(self, newest: Update) -> int:
        """The seq up to which updates may be missed: an older prediction may have come after the newest."""
        last = self._recent.last_of(newest.symbol) if newest.epoch == self._recent.epoch else None
        return newest.seq if last is None or last <= newest.seq else last + 1

    def _newest_of(self, symbol: str, read: Read) -> Update | None:
        known, found = self._recent.newest(symbol), read.newest.get(symbol)
        if known is None or found is None:
            return known or found
        return max(known, found, key=lambda update: update.order)

    def _add_snapshot(self, owed: Owed, update: Update) -> None:
        owed.items.append(Snapshot(update))
        # A store may be ahead of our live flow, which then must not repeat what the subscriber has.
        if update.place > (self._recent.epoch, self._recent.last_of(update.symbol) or 0):
            owed.known[update.symbol] = Known(*update.place)


class _NewestReader:
    """Reads newest values from the stores: one read at a time, for all who ask meanwhile."""

    def __init__(self) -> None:
        self._wanted: dict[str, None] = {}
        self._next: asyncio.Future[dict[str, Update]] | None = None
        self._task: asyncio.Task[None] | None = None

    async def read(self, symbols: Sequence[str]) -> dict[str, Update]:
        """The newest of each symbol that has one. Raises `NoStoreReachable`, `TimeoutError`."""
        loop = asyncio.get_running_loop()
        self._wanted.update(dict.fromkeys(symbols))
        if self._next is None:
            self._next = loop.create_future()
        answer = self._next
        if self._task is None:
            self._task = loop.create_task(self._read_all())
        found = await asyncio.shield(answer)
        return {symbol: found[symbol] for symbol in symbols if symbol in found}

    async def _read_all(self) -> None:
        try:
            while self._next is not None:
                answer, wanted = self._next, list(self._wanted)
                self._next, self._wanted = None, {}
                try:
                    found = await blocking.run(_read_newest, wanted)
                except Exception as error:
                    answer.set_exception(error)
                else:
                    answer.set_result(found)
        finally:
            self._task = None


def _read_newest(symbols: list[str]) -> dict[str, Update]:
    """In a thread of the pool, in slices that the stores take at once."""
    found: dict[str, Update] = {}
    for start in range(0, len(symbols), MAX_SYMBOLS):
        documents = reads.newest_predictions(symbols[start : start + MAX_SYMBOLS])
        found.update((symbol, batches.update_of(document)) for symbol, document in documents.items())
    return found


def _read_record(epoch: str, seen: dict[str, int]) -> list[Update] | None:
    """In a thread of the pool."""
    if not record.reaches_back(epoch, min(seen.values())):
        return None
    return batches.updates_of(record.missed(epoch, seen, limit=MAX_RESUMED + 1))
