"""What is written by hand in SQL, and what depends on triggers, holds on SQLite too: the same tests there.

Tests of several connections are left out: they would flush tables that triggers on SQLite do not let go of.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.stack import ROOT

NAMES = ("directory", "failures", "flushing", "following", "last_use", "triggers", "usage")


def test_the_same_tests_pass_on_sqlite(tmp_path: Path) -> None:
    files = [f"tests/accounts/test_{name}.py" for name in NAMES]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-k",
            "not RealTransactions",
            *files,
        ],
        env={**inherited, "DATABASE_URL": f"sqlite:///{tmp_path}/gateway.sqlite3"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout
    assert int(passed[1]) > 100
