"""Plans and times of the statements that are asked most, on a Postgres with ten million predictions.

Brings up servers of its own, fills them, asks the gateway's own functions, and has Postgres explain what they
have sent. A plan that reads a whole table ends it with an error. Takes about ten minutes and 6 GB below /tmp;
needs an installed Postgres, or --database with the URL of an empty database.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import django

from benchmarks.side_by_side import machine
from benchmarks.side_by_side.command import say
from benchmarks.side_by_side.ground import ROOT, Ground, standing
from benchmarks.side_by_side.tables import align, replace_section

if TYPE_CHECKING:
    from benchmarks.plans.filling import Filled
    from benchmarks.plans.looking import Seen

DOCUMENT = ROOT / "docs" / "QUERIES.md"
HEADING = "## Measured"
_LONGEST_PLAN = 24
_HOT = 3


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.plans",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=int, default=10_000_000, help="predictions (%(default)s)")
    parser.add_argument("--symbols", type=int, default=1000, help="symbols they are of (%(default)s)")
    parser.add_argument("--runs", type=int, default=50, help="calls of each function (%(default)s)")
    parser.add_argument("--database", default="postgres", help="postgres (a server of its own) or a URL")
    parser.add_argument("--write", action="store_true", help="put the result into docs/QUERIES.md")
    parsed = parser.parse_args()
    with standing(parsed.database, "default") as ground:
        section = _measure(ground, parsed)
    sys.stdout.write(section)
    if parsed.write:
        DOCUMENT.write_text(replace_section(DOCUMENT.read_text(), HEADING, section))


def _measure(ground: Ground, parsed: argparse.Namespace) -> str:
    """Fill and ask, in this process: what is asked is the gateway's own code with its own settings."""
    os.environ.update(ground.environ, DJANGO_SETTINGS_MODULE="gateway_project.settings")
    os.environ["SLOW_QUERY_MS"] = "3600000"  # filling is slow, and meant to be
    django.setup()
    from django.db import connection

    from benchmarks.plans.filling import fill
    from benchmarks.plans.looking import LEAST_RUNS, look
    from benchmarks.plans.questions import QUESTIONS

    filled = fill(parsed.rows, parsed.symbols, say)
    seen = [look(one, filled, max(parsed.runs, LEAST_RUNS)) for one in QUESTIONS]
    connection.ensure_connection()
    version = connection.connection.info.server_version
    connection.close_pool()  # type: ignore[attr-defined] # that of Postgres
    return _section(filled, seen, parsed.runs, f"{version // 10000}.{version % 10000}")


def _section(filled: Filled, seen: Sequence[Seen], runs: int, postgres: str) -> str:
    sizes = ", ".join(f"{rows:,} in `{table}`" for table, rows in filled.sizes.items())
    head = ["What", "Asked by", "Index", "Statement ms", "Call ms"]
    lines = [
        [
            one.question.name,
            one.question.asked_by,
            ", ".join(f"`{index}`" for index in one.indexes),
            f"{one.round_trip_ms:.2f}",
            f"{one.call_ms:.2f}",
        ]
        for one in seen
    ]
    plans = [f"### {one.question.name}\n\n```\n{_shown(one)}\n```" for one in seen[:_HOT]]
    command = shlex.join(["python", "-m", "benchmarks.plans", *sys.argv[1:]])
    return "\n\n".join(
        [
            f"Rows: {sizes}. Medians of {runs} calls, each with other values if it has any; *statement* is "
            "the round trip alone, *call* the function with it.",
            align([head, *lines]),
            *plans,
            f"Measured on {datetime.now(UTC):%Y-%m-%d}: `{command}`; Postgres {postgres} as it comes, "
            f"Python {platform.python_version()}, {machine.hardware()}.\n",
        ]
    )


def _shown(one: Seen) -> str:
    """The plan; of one that repeats itself for each symbol, the beginning and the end."""
    plan = [f"-- planned {'once for all values' if one.is_generic else 'for each set of values'}", *one.plan]
    plan = [line if len(line) <= 150 else line[:150] + " ..." for line in plan]
    if len(plan) <= _LONGEST_PLAN:
        return "\n".join(plan)
    end = next(place for place, line in enumerate(plan) if line.lstrip().startswith("Planning"))
    kept = _LONGEST_PLAN - (len(plan) - end)
    return "\n".join([*plan[:kept], f"... ({end - kept} lines more of the same)", *plan[end:]])


if __name__ == "__main__":
    main()
