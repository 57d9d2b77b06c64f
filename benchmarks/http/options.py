"""The size of the measurements: every number is an option; the defaults are the full size."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.side_by_side.options import number


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much of everything."""

    rounds: int = number(5, "times that each contender is measured, in turn with the others")
    seconds: int = number(10, "how long each load lasts")
    warm_up_s: int = number(2, "how long each server is warmed up before it")
    connections: int = number(100, "connections, each of which asks again when it has its answer")
    symbols: int = number(100, "symbols that are asked for in turn")
    updates: float = number(10.0, "updates a second that come in through NATS meanwhile, over all symbols")
    keys: int = number(10_000, "keys that are used in turn in keys")
    idle_s: float = number(2.0, "how long start waits before memory is read")
