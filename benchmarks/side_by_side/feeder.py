"""The process that feeds a contender: reads plans as JSON lines, publishes by the clock, says what it did.

A process of its own, so that a client busy with reading does not delay the updates that it is to time.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import time
from pathlib import Path

import msgspec
import uvloop

from benchmarks.side_by_side import send_times
from benchmarks.side_by_side.sinks import SINKS, Sink


class Plan(msgspec.Struct, frozen=True):
    """`count` updates at `rate` a second, symbol after symbol; every `tick_s` what is due goes as a batch."""

    count: int
    rate: float
    tick_s: float = 0.02


class Ready(msgspec.Struct, frozen=True):
    """The contender listens; the first update will have number `first`."""

    first: int


class Fed(msgspec.Struct, frozen=True):
    """The plan is done: what it took, how late the latest batch was sent, after what median it was stored."""

    first: int
    last: int
    took_s: float
    late_ms: float
    stored_ms: float | None = None


async def feed(plan: Plan, sink: Sink, first: int, symbols: list[str], times: memoryview[int]) -> Fed:
    """Publish as planned. What could not be sent in time is sent with the next batch: nothing is left out."""
    begun = time.monotonic()
    done = tick = 0
    late_s = 0.0
    while done < plan.count:
        elapsed = time.monotonic() - begun
        late_s = max(late_s, elapsed - tick * plan.tick_s)
        tick = max(tick, int(elapsed / plan.tick_s)) + 1
        due = min(plan.count, math.ceil(tick * plan.tick_s * plan.rate - 1e-6))
        if due > done:
            batch = range(first + done, first + due)
            now = time.monotonic_ns()
            for seq in batch:
                times[seq] = now
            await sink.publish([symbols[seq % len(symbols)] for seq in batch], first + done)
            done = due
        await asyncio.sleep(begun + tick * plan.tick_s - time.monotonic())
    stored_ms = await sink.settle()
    return Fed(first, first + done - 1, time.monotonic() - begun, 1000 * late_s, stored_ms)


async def serve(sink: Sink, symbols: list[str], times: memoryview[int], listeners: int) -> None:
    """Wait until `listeners` servers listen, say so with a `Ready`, then carry out plan after plan."""
    following = await sink.open()
    while await sink.count_listeners() < listeners:  # noqa: ASYNC110 - another process is waited for
        await asyncio.sleep(0.05)
    _say(Ready(following))
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        plan = msgspec.json.decode(line, type=Plan)
        if following + plan.count > send_times.MOST:
            raise ValueError(f"the table of times ends at {send_times.MOST}")
        fed = await feed(plan, sink, following, symbols, times)
        following = fed.last + 1
        _say(fed)


def _say(what: Ready | Fed) -> None:
    sys.stdout.write(msgspec.json.encode(what).decode() + "\n")
    sys.stdout.flush()


def main() -> None:
    """The command line; servers are found in the environment, as by the gateway."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sink", choices=SINKS, required=True)
    parser.add_argument("--times", type=Path, required=True, help="file of `send_times`")
    parser.add_argument("--listeners", type=int, default=1)
    parser.add_argument("symbols", nargs="+")
    options = parser.parse_args()
    times = send_times.open_table(options.times)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(SINKS[options.sink](), options.symbols, times, options.listeners))


if __name__ == "__main__":
    main()
