"""What is written by hand in SQL holds on SQLite too: the same tests there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.stack import ROOT


def test_the_same_tests_pass_on_sqlite(tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # SQLite does not refuse a text that is too long.
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"),
            *("-k", "not refuse", "tests/predictions/test_record.py", "tests/predictions/test_history.py"),
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
    assert int(passed[1]) > 20
