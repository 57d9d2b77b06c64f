"""What settling outcomes and reading accuracy cost on a large record, on a Postgres of its own.

Fills the record with a prediction a minute and symbol, settles all of it by slices of the bridge's size,
looks at the plan of the statement that settles, and reads the accuracy of a symbol. Run:
``python -m benchmarks.outcomes [--rows N] [--symbols N]``; `--write` puts the result into docs/QUERIES.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import django

from benchmarks.side_by_side import machine
from benchmarks.side_by_side.command import say
from benchmarks.side_by_side.feeding import make_symbols
from benchmarks.side_by_side.ground import ROOT, standing
from benchmarks.side_by_side.tables import align, replace_section

DOCUMENT = ROOT / "docs" / "QUERIES.md"
HEADING = "## Outcomes and accuracy"
_STEP = 200_000
_RUNS = 50
_USED = re.compile(r"Index (?:Only )?Scan(?: Backward)? using (\w+)")
_FILL = """
INSERT INTO predictions_prediction (symbol, timestamp, model_version, as_of, current_price,
    predicted_price, confidence, horizon, features, seq, epoch)
SELECT (%(symbols)s::text[])[1 + n %% %(count)s], moment, 'ridge-1', moment, 100 + n %% 97,
    101 + n %% 89, 0.5, '1d',
    jsonb_build_object('interval_low', 90, 'interval_high', 150, 'interval_level', 0.8), n, 'measured'
FROM generate_series(%(first)s::bigint, %(last)s) AS n,
    LATERAL (SELECT timestamptz '2020-01-01' + n / %(count)s * interval '1 minute' AS moment) AS at
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.outcomes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="predictions (%(default)s)")
    parser.add_argument("--symbols", type=int, default=1, help="symbols they are of (%(default)s)")
    parser.add_argument("--database", default="postgres", help="postgres (a server of its own) or a URL")
    parser.add_argument("--write", action="store_true", help="put the result into docs/QUERIES.md")
    parsed = parser.parse_args()
    with standing(parsed.database, "default") as ground:
        os.environ.update(ground.environ, DJANGO_SETTINGS_MODULE="gateway_project.settings")
        os.environ["SLOW_QUERY_MS"] = "3600000"
        django.setup()
        section = _measure(parsed.rows, make_symbols(parsed.symbols))
    sys.stdout.write(section)
    if parsed.write:
        DOCUMENT.write_text(replace_section(DOCUMENT.read_text(), HEADING, section))


def _measure(rows: int, symbols: list[str]) -> str:
    from django.db import connection

    from realtime import settler

    _fill(rows, symbols)
    slices, settled, plan = _settle_all(settler.MOST, settler.MOST_SETTLED)
    busy_s = sum(slices)
    reads = [
        ("90 days", _timed(lambda n: _read(symbols[n % len(symbols)], timedelta(days=90)))),
        ("all", _timed(lambda n: _read(symbols[n % len(symbols)], None))),
        (
            "all, from the outcomes themselves",
            _timed(lambda n: _sum_outcomes(symbols[n % len(symbols)]), runs=3),
        ),
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM predictions_accuracyday")
        days = cursor.fetchone()[0]
    connection.close_pool()  # type: ignore[attr-defined] # that of Postgres
    lines = [["Accuracy of a symbol", "Median ms"], *([what, f"{took_ms:.2f}"] for what, took_ms in reads)]
    indexes = ", ".join(f"`{name}`" for name in dict.fromkeys(_USED.findall("\n".join(plan))))
    if "Seq Scan" in "\n".join(plan):
        raise RuntimeError("a table is read from end to end:\n" + "\n".join(plan))
    command = shlex.join(["python", "-m", "benchmarks.outcomes", *sys.argv[1:]])
    return "\n\n".join(
        [
            f"A record of {rows:,} predictions of {len(symbols):,} symbols, one a minute, is settled by "
            f"{len(slices):,} transactions (median {statistics.median(slices) * 1000:.0f} ms, longest "
            f"{max(slices) * 1000:.0f} ms) in {busy_s:.0f} s: {rows / busy_s:,.0f} predictions/s, "
            f"{settled:,} outcomes, {days:,} daily sums.",
            align(lines),
            f"What settles a slice looks up in {indexes}, and reads no table from end to end.",
            f"Measured on {datetime.now(UTC):%Y-%m-%d}: `{command}`; Python {platform.python_version()}, "
            f"{machine.hardware()}.\n",
        ]
    )


def _fill(rows: int, symbols: list[str]) -> None:
    from benchmarks.patience import patient_cursor

    with patient_cursor() as cursor:
        for first in range(1, rows + 1, _STEP):
            last = min(first + _STEP - 1, rows)
            cursor.execute(_FILL, {"symbols": symbols, "count": len(symbols), "first": first, "last": last})
            say(f"{last:,} predictions")
        cursor.execute("VACUUM ANALYZE predictions_prediction")


def _settle_all(most: int, most_settled: int) -> tuple[list[float], int, list[str]]:
    """The seconds of each transaction, the outcomes, and the plan by which one of the last was settled."""
    from django.db import connection

    from predictions import settling

    slices: list[float] = []
    settled, explained = 0, _Explained()
    with connection.execute_wrapper(explained):
        while True:
            begun, explained.took_s = time.perf_counter(), 0.0
            explained.is_wanted = len(slices) % 20 == 10
            done = settling.settle_slice(
                upto=None, now=datetime.now(UTC), most=most, most_settled=most_settled
            )
            slices.append(time.perf_counter() - begun - explained.took_s)
            if done is None:
                raise RuntimeError("somebody else settles here")
            settled += done.settled
            if len(slices) % 100 == 0:
                say(f"{done.place.seq:,} looked at")
            if done.is_last:
                return slices, settled, explained.plan


class _Explained:
    """Has Postgres explain the settling of a slice before it is done, if that `is_wanted`."""

    def __init__(self) -> None:
        self.is_wanted = False
        self.took_s = 0.0
        self.plan: list[str] = []

    def __call__(self, execute: Any, query: str, values: Any, many: bool, context: Any) -> Any:
        from django.db import connection, transaction

        from predictions.settling_statements import SETTLE_POSTGRES

        if self.is_wanted and query in SETTLE_POSTGRES:
            begun = time.perf_counter()
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {query}", values)
                self.plan += [line for (line,) in cursor.fetchall()]
                transaction.set_rollback(True)
            self.took_s = time.perf_counter() - begun
        return execute(query, values, many, context)


def _read(symbol: str, window: timedelta | None) -> object:
    from predictions import track_record

    return track_record.read_track(symbol, window=window, now=datetime.now(UTC))


def _sum_outcomes(symbol: str) -> object:
    """What the sums spare."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT model_version, count(*), sum(abs(predicted_price - actual_price)),"
            " sum(abs(price - actual_price)) FROM predictions_outcome"
            " WHERE symbol = %s AND settled_at IS NOT NULL GROUP BY model_version",
            [symbol],
        )
        return cursor.fetchall()


def _timed(ask: Callable[[int], object], *, runs: int = _RUNS) -> float:
    took = []
    for n in range(runs):
        begun = time.perf_counter()
        if not ask(n):
            raise RuntimeError("nothing was found")
        took.append((time.perf_counter() - begun) * 1000)
    return statistics.median(took)


if __name__ == "__main__":
    main()
