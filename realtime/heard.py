"""Which batches were heard of which bridge, and from where on something may be missing. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from realtime.batches import Batch, Place

_MOST_BRIDGES = 64


@dataclass(slots=True)
class _Bridge:
    number: int
    place: Place


class Heard:
    """The last batch of each bridge."""

    def __init__(self) -> None:
        self._bridges: dict[str, _Bridge] = {}

    def __len__(self) -> int:
        return len(self._bridges)

    def hear(self, batch: Batch, *, newest: Place) -> Place | None:
        """Take note of `batch`; `newest` is the place of the newest update heard of at all until now.

        Returns the place after which an update may be missing, or None. Something may be missing, too, when
        a bridge was never heard of: its forerunner may have died with its last batch lost.
        """
        known = self._bridges.pop(batch.bridge, None)
        missing_after = None
        if known is None:
            missing_after = min((bridge.place for bridge in self._bridges.values()), default=newest)
            if len(self._bridges) >= _MOST_BRIDGES:
                self._bridges.pop(next(iter(self._bridges)))
            known = _Bridge(batch.number, newest)
        elif batch.follows > known.number:
            missing_after = known.place
        known.number = max(known.number, batch.number)
        if batch.updates:
            known.place = batch.updates[-1].place
        self._bridges[batch.bridge] = known
        return missing_after

    def whole_until(self, place: Place) -> None:
        """Nothing is missing up to `place`, whoever was to tell it."""
        for bridge in self._bridges.values():
            bridge.place = max(bridge.place, place)
