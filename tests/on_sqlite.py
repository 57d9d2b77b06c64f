"""Tests run once more on SQLite: what is written by hand in SQL must hold there too."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.stack import ROOT


def count_passed(files: list[str], *, leaving_out: str, folder: Path) -> int:
    """How many tests of `files` pass on a database in `folder`; none may fail."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-k", f"not {leaving_out}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files],
        env={**inherited, "DATABASE_URL": f"sqlite:///{folder}/gateway.sqlite3"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout
    return int(passed[1])
