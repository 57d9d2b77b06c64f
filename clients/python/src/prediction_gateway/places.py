"""Where a stream stands in the flow of each symbol, and how it asks for what came after. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prediction_gateway.messages import Gap, Update

_BEFORE_ALL = {"epoch": "0", "seq": 0}
"""A place before every other: the gateway answers with a gap and the newest value, if there is one."""


@dataclass(frozen=True)
class Position:
    """The last update of a symbol that was given: number `seq` of the stream's life `epoch`."""

    epoch: str
    seq: int


class Places:
    """The positions of `symbols`.

    `has_subscribed`: the gateway has answered a subscription, so that from then on updates can be missed.
    """

    def __init__(self, symbols: list[str]) -> None:
        self._symbols = symbols
        self._at: dict[str, Position] = {}
        self.has_subscribed = False

    @property
    def positions(self) -> dict[str, Position]:
        """A copy: position by symbol, of those that have one."""
        return dict(self._at)

    def take(self, update: Update) -> bool:
        """Move on to `update`; False if it, or one after it, was given already."""
        known = self._at.get(update.symbol)
        if known is not None and known.epoch == update.epoch and update.seq <= known.seq:
            return False
        self._at[update.symbol] = Position(update.epoch, update.seq)
        return True

    def skip(self, gap: Gap) -> None:
        """A gap that leads back, as after the restore of a backup: numbers that we know come anew."""
        known = self._at.get(gap.symbol)
        if known is not None and known.epoch == gap.epoch and gap.to_seq <= gap.from_seq:
            del self._at[gap.symbol]

    def subscriptions(self) -> list[dict[str, Any]]:
        """For a new connection: the symbols of each request, and its `since` where there is one.

        Of a symbol that was subscribed and had no update yet, the first ones may have come meanwhile: it is
        asked for from before all others, so that they are told of as a gap.
        """
        by_epoch: dict[str, dict[str, int]] = {}
        for symbol, position in self._at.items():
            by_epoch.setdefault(position.epoch, {})[symbol] = position.seq
        asked: list[dict[str, Any]] = [
            {"symbols": list(seqs), "since": {"epoch": epoch, "seq": min(seqs.values()), "seqs": seqs}}
            for epoch, seqs in by_epoch.items()
        ]
        if unseen := [symbol for symbol in self._symbols if symbol not in self._at]:
            asked.append({"symbols": unseen} | ({"since": _BEFORE_ALL} if self.has_subscribed else {}))
        return asked
