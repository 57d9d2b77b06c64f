"""Which batches were heard of which bridge, and from where on something may be missing. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from realtime.batches import Batch, Place

_MOST_BRIDGES = 64
_DEAD_AFTER = 1_000
"""Messages of others: a bridge that lives has beaten several times meanwhile."""


@dataclass(slots=True)
class _Bridge:
    number: int
    place: Place
    heard_at: int = 0


class Heard:
    """The last batch of each bridge."""

    def __init__(self) -> None:
        self._bridges: dict[str, _Bridge] = {}
        self._messages = 0
        # Nothing is missing up to here, whoever was to tell it.
        self._whole: Place | None = None
        # What `hear` returned last.
        self._missing_after: Place | None = None

    def __len__(self) -> int:
        return len(self._bridges)

    def hear(self, batch: Batch, *, newest: Place) -> Place | None:
        """Take note of `batch`; `newest` is the place of the newest update heard of at all until now.

        Returns the place after which an update may be missing, or None. Something may be missing, too, when
        a bridge was never heard of: its forerunner may have died with its last batch lost, or its own first
        ones were lost while others told more.
        """
        if self._whole is None:
            self._whole = newest
        known = self._bridges.pop(batch.bridge, None)
        missing_after = None
        if known is None:
            missing_after = min((bridge.place for bridge in self._bridges.values()), default=newest)
            if batch.follows > 0:
                missing_after = min(missing_after, self._whole)
            if len(self._bridges) >= _MOST_BRIDGES:
                self._bridges.pop(next(iter(self._bridges)))
            known = _Bridge(batch.number, newest)
        elif batch.follows > known.number:
            missing_after = known.place
        if missing_after is not None and batch.late_from is not None:
            # The last place below all that may be missing.
            epoch, seq = batch.late_from
            missing_after = min(missing_after, (epoch, seq - 1))
        self._messages += 1
        known.heard_at = self._messages
        known.number = max(known.number, batch.number)
        if batch.updates:
            known.place = batch.updates[-1].place
        self._bridges[batch.bridge] = known
        self._missing_after = missing_after
        return missing_after

    def told_by_all(self, newest: Place) -> Place:
        """What stands behind this place may have been told by one bridge, and another be behind it."""
        living = (
            bridge for bridge in self._bridges.values() if bridge.heard_at > self._messages - _DEAD_AFTER
        )
        return min((newest, *(bridge.place for bridge in living)))

    def whole_until(self, place: Place) -> None:
        """Everything between what `hear` returned last and `place` was read again, whoever was to tell it.

        What another bridge told before that, and nobody has heard, is as missing as it was.
        """
        after = self._missing_after
        if after is None or self._whole is None:
            return
        if self._whole >= after:
            self._whole = max(self._whole, place)
        for bridge in self._bridges.values():
            if bridge.place >= after:
                bridge.place = max(bridge.place, place)
