"""What a hot read pays for being seen: counted for Prometheus, and written to the access log.

Run by itself: ``.venv/bin/python -m benchmarks.observing``. Each figure is the median of rounds of `READS`
reads, with what is done for many of them at once (handing over to Prometheus' metrics, forming and writing
lines) spread over them.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from observability import access_log, request_tally
from observability.log_sink import Sink

READS, ROUNDS = 10_000, 15
_ANSWER_S, _BYTES = 0.0004, 312


def count_for_prometheus() -> None:
    """`READS` answers of the board, as a second brings them, and the second's end."""
    for _ in range(READS):
        request_tally.count(
            "GET", "prediction", 200, kind="key", seconds=_ANSWER_S, bytes_in=0, bytes_out=_BYTES
        )
        request_tally.read("prediction", "board")
    request_tally.flush()


def note(count: int) -> None:
    """Leave `count` requests to the access log."""
    for _ in range(count):
        access_log.note(
            request_id="6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
            method="GET",
            route="prediction",
            path="/api/prediction/AAPL",
            status=200,
            seconds=_ANSWER_S,
            bytes_in=0,
            bytes_out=_BYTES,
            caller="key 4kZl25U88g37BW3brJTDnm",
            account_id=7,
            tier="internal",
            address="203.0.113.7",
            agent=b"python-httpx/0.28.1",
        )


async def write_lines() -> None:
    """The same with their lines formed, and written to where nobody waits for them."""
    left = READS
    while left:
        now = min(left, access_log.MOST_WAITING)
        note(now)
        await access_log.stop_current()
        access_log.start_current(pretty=False, sink=_nowhere)
        left -= now


async def microseconds(measured: Callable[[], None] | Callable[[], Awaitable[None]]) -> float:
    """Of CPU, a read."""
    rounds = []
    for _ in range(ROUNDS):
        began_ns = time.process_time_ns()
        if asyncio.iscoroutine(pending := measured()):
            await pending
        rounds.append((time.process_time_ns() - began_ns) / 1000 / READS)
    return statistics.median(rounds)


async def main() -> None:
    """Measure, and print."""
    access_log.start_current(pretty=False, sink=_nowhere)
    for what, measured in (
        ("counted for Prometheus", count_for_prometheus),
        ("a line of the access log", write_lines),
    ):
        sys.stdout.write(f"{what}: {await microseconds(measured):.1f} us of CPU a read\n")
    await access_log.stop_current()


_nowhere = Sink(os.open(os.devnull, os.O_WRONLY))

if __name__ == "__main__":
    asyncio.run(main())
