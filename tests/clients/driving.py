"""Both clients behind the same words: a small program of each calls its client and prints JSON lines."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.printing import Printing
from tests.stack import eventually

HERE = Path(__file__).parent
DRIVERS: dict[str, list[str]] = {
    "python": [sys.executable, str(HERE / "drive.py")],
    "javascript": ["node", "--experimental-websocket", "--no-warnings", str(HERE / "drive.mjs")],
}


class Driver:
    """One of the two clients."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, scenario: str, **arguments: Any) -> dict[str, Any]:
        """The one line that the scenario prints."""
        done = subprocess.run(
            self._command(scenario, arguments),
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        [line] = done.stdout.splitlines()
        told: dict[str, Any] = json.loads(line)
        return told

    @contextlib.contextmanager
    def running(self, scenario: str, **arguments: Any) -> Iterator[Running]:
        """The scenario while it goes on."""
        process = subprocess.Popen(
            self._command(scenario, arguments), env=_environment(), stdout=subprocess.PIPE, text=True
        )
        started = Running(process)
        try:
            yield started
        finally:
            started.end()

    def _command(self, scenario: str, arguments: dict[str, Any]) -> list[str]:
        return [*DRIVERS[self.language], scenario, json.dumps(arguments)]


class Running(Printing):
    """A scenario that goes on."""

    def of(self, kind: str, *, snapshot: bool = False) -> list[dict[str, Any]]:
        """The lines of a kind; of updates the live ones, or the newest values."""
        return [
            line
            for line in self.printed
            if line.get("kind") == kind and bool(line.get("snapshot", False)) is snapshot
        ]

    def wait_for(self, kind: str, count: int = 1, *, snapshot: bool = False) -> list[dict[str, Any]]:
        """As soon as there are `count` of them."""
        eventually(
            lambda: len(self.of(kind, snapshot=snapshot)) >= count or self.process.poll() is not None,
            timeout_s=60,
        )
        found = self.of(kind, snapshot=snapshot)
        assert len(found) >= count, self.printed
        return found


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(HERE.parent.parent / "clients/python/src")}
