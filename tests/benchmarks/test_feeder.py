"""What the feeder publishes, and with which times."""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence

from benchmarks.side_by_side.feeder import Plan, feed

SYMBOLS = ["AAA", "AAB", "AAC"]


class Kept:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, list[str]]] = []
        self.settled = False

    async def open(self) -> int:
        """There is nothing to open."""
        return 1

    async def count_listeners(self) -> int:
        """We listen."""
        return 1

    async def publish(self, symbols: Sequence[str], first: int) -> None:
        """Keep a batch."""
        self.batches.append((first, list(symbols)))

    async def settle(self) -> None:
        """Keep that it was asked for."""
        self.settled = True


async def test_every_update_is_sent_once_in_order_to_its_symbol_with_its_time() -> None:
    sink, times = Kept(), memoryview(array("q", [0] * 100))
    before = time.monotonic_ns()

    fed = await feed(Plan(count=40, rate=4000, tick_s=0.002), sink, 11, SYMBOLS, times)

    sent = [(first + n, symbol) for first, batch in sink.batches for n, symbol in enumerate(batch)]
    assert sent == [(seq, SYMBOLS[seq % 3]) for seq in range(11, 51)]
    assert (fed.first, fed.last) == (11, 50)
    assert sink.settled
    assert all(before <= times[seq] <= time.monotonic_ns() for seq in range(11, 51))
    assert times[10] == times[51] == 0


async def test_a_rate_below_one_a_tick_sends_nothing_in_most_ticks() -> None:
    sink, times = Kept(), memoryview(array("q", [0] * 10))

    fed = await feed(Plan(count=2, rate=50, tick_s=0.001), sink, 1, SYMBOLS, times)

    assert [first for first, _ in sink.batches] == [1, 2]
    assert fed.took_s >= 0.018
