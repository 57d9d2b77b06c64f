"""The newest values that this process knows by itself, ready to be shown: no read of a store is faster.

A symbol is known from the first time that it was read from Redis: what the hub has heard of it may be a late
update alone. From then on it is as new as the hub, which hears of everything while its flow is whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from predictions import documents
from predictions.answers import Shown
from predictions.documents import PredictionDocument
from realtime.batches import Update
from realtime.protocol import messages
from realtime.recent import Recent

_MOST_SYMBOLS = 50_000


@dataclass(frozen=True, slots=True)
class _Known:
    # The newest that was heard when `shown` was made; None where nothing was.
    heard: Update | None
    order: tuple[int, int]
    shown: Shown


class Board:
    """Lives beside the hub that fills `recent`; `is_current` tells whether its flow is whole right now."""

    def __init__(self, recent: Recent, *, is_current: Callable[[], bool]) -> None:
        self._recent = recent
        self._is_current = is_current
        self._known: dict[str, _Known] = {}
        self._breaks = recent.breaks

    def find(self, symbol: str) -> Shown | None:
        """The newest value of `symbol`, without features; None where that is not known here."""
        if not self._is_current() or self._breaks != self._recent.breaks:
            return None
        known = self._known.get(symbol)
        if known is None:
            return None
        heard = self._recent.newest(symbol)
        if heard is known.heard and (heard is not None or not self._recent.has_forgotten_symbols):
            return known.shown
        if heard is None:  # it was silent for so long that it was forgotten
            del self._known[symbol]
            return None
        if heard.order < known.order:
            known = _Known(heard, known.order, known.shown)
        else:
            document = documents.decode(messages.document_of(heard.frame))
            known = _Known(heard, heard.order, Shown(document, include_features=False))
        self._known[symbol] = known
        return known.shown

    def mark(self) -> int | None:
        """Where the flow is, before a read of Redis that `learn` will be told of; None while it is broken."""
        return self._recent.breaks if self._is_current() else None

    def learn(self, document: PredictionDocument, mark: int | None) -> None:
        """Redis had `document` as the newest of its symbol when it was asked, after `mark`.

        What somebody else than a bridge has put there is not learned: nobody would tell of its successor.
        """
        if mark is None or mark != self._recent.breaks or not document.epoch or not document.seq:
            return
        if self._breaks != mark or len(self._known) >= _MOST_SYMBOLS:
            self._known.clear()
            self._breaks = mark
        order = (documents.epoch_micros(document.timestamp), document.seq)
        known = self._known.get(document.symbol)
        if known is not None and known.order > order:
            return  # of two reads the older one came back last
        self._known[document.symbol] = _Known(None, order, Shown(document, include_features=False))
