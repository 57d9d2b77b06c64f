"""What a peer has of a symbol that the live flow may still bring: neither repeated nor lost. Pure."""

from __future__ import annotations

from typing import NamedTuple

from realtime.batches import Place, Update
from realtime.protocol.messages import Gap


class Known(NamedTuple):
    """Everything of a life of the stream up to `seq`, and beyond it the updates `told`.

    `told` were read from the record, which may get an older one after them. With `may_miss` nobody could say
    whether there is more after `seq`.
    """

    epoch: str
    seq: int
    told: frozenset[int] = frozenset()
    may_miss: bool = False

    @property
    def until(self) -> Place:
        """What is beyond this place is news."""
        return self.epoch, max(self.told, default=self.seq)

    def has(self, update: Update, *, heard: int) -> bool:
        """True for an update that the peer has; `heard` was the last seq of its symbol when it came.

        One that is late comes after `heard`, as a rule to everyone: who is not beyond that cannot have it.
        """
        if update.epoch != self.epoch:
            return update.epoch < self.epoch
        return update.seq in self.told or (update.seq <= self.seq and heard < self.seq)

    def gap_around(self, update: Update) -> Gap:
        """What to tell of an update that comes behind some of `told`."""
        before = max((seq for seq in self.told if seq < update.seq), default=self.seq)
        after = min(seq for seq in self.told if seq > update.seq)
        return Gap(update.symbol, before, after, update.epoch)
