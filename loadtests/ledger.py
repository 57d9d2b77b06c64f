"""What the generator has counted: how long each kind of call took, by what became of it. Pure.

A 304 is an answer, and a 429 to a caller who has used up what it may is a declared one: both are told apart
from what was served anew, and none is an error. Everything else that was not asked for is, an overloaded 503
and a call without an answer among them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

import msgspec

from benchmarks.side_by_side.figures import percentile

Outcome = Literal["served", "not modified", "limited", "error"]
_MOST_NOTICES = 20


def judge(status: int, expected: Collection[int]) -> Outcome:
    """What became of a call that `expected` one of these statuses; 0 is no answer."""
    if status == 304:
        return "not modified"
    if status == 429:
        return "limited"
    return "served" if status in expected else "error"


class Ledger(msgspec.Struct):
    """Microseconds by call and outcome, `seconds` long; `notices` are the first errors in words."""

    seconds: float = 0.0
    took_us: dict[str, dict[Outcome, list[int]]] = {}
    notices: list[str] = []

    def note(self, call: str, outcome: Outcome, took_s: float) -> None:
        """Count a call."""
        self.took_us.setdefault(call, {}).setdefault(outcome, []).append(round(1e6 * took_s))

    def notice(self, text: str) -> None:
        """Keep what a person should read."""
        if len(self.notices) < _MOST_NOTICES:
            self.notices.append(text[:300])

    def count(self, *outcomes: Outcome, call: str | None = None) -> int:
        """How many calls had one of `outcomes`; all, if none is named."""
        return sum(len(times) for outcome, times in self._lists(call) if not outcomes or outcome in outcomes)

    def share_ms(self, share: float, *, call: str | None = None) -> float:
        """Milliseconds within which `share` of the answers came, errors and refusals by limits aside."""
        times: list[float] = []
        for outcome, some in self._lists(call):
            if outcome in {"served", "not modified"}:
                times += some
        return percentile(times, share) / 1000

    @property
    def per_s(self) -> float:
        """Calls a second, whatever became of them."""
        return self.count() / self.seconds if self.seconds else 0.0

    @property
    def error_share(self) -> float:
        """Errors among all calls; 1 if there was none, since then nothing was shown to work."""
        total = self.count()
        return self.count("error") / total if total else 1.0

    def _lists(self, call: str | None) -> Iterable[tuple[Outcome, list[int]]]:
        for name, outcomes in self.took_us.items():
            if call is None or name == call:
                yield from outcomes.items()
