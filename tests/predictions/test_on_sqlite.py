"""What is written by hand in SQL holds on SQLite too: the same tests there."""

from __future__ import annotations

from pathlib import Path

from tests.on_sqlite import count_passed


def test_the_same_tests_pass_on_sqlite(tmp_path: Path) -> None:
    names = (
        "record",
        "history",
        "known_symbols",
        "settling",
        "settling_backfill",
        "deadlines",
        "track_record",
    )
    files = [f"tests/predictions/test_{name}.py" for name in names]
    # SQLite does not refuse a text that is too long.
    assert count_passed(files, leaving_out="refuse", folder=tmp_path) > 60
