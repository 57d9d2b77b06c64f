"""What is written by hand in SQL, and what depends on triggers, holds on SQLite too: the same tests there.

Tests of several connections are left out: they would flush tables that triggers on SQLite do not let go of.
"""

from __future__ import annotations

from pathlib import Path

from tests.on_sqlite import count_passed

NAMES = ("directory", "failures", "flushing", "following", "last_use", "triggers", "usage")


def test_the_same_tests_pass_on_sqlite(tmp_path: Path) -> None:
    files = [f"tests/accounts/test_{name}.py" for name in NAMES]
    assert count_passed(files, leaving_out="RealTransactions", folder=tmp_path) > 100
