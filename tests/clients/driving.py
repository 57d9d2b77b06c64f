"""Both clients behind the same words: a small program of each calls its client and prints JSON lines."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


class Running:
    """What it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def of(self, kind: str, *, snapshot: bool = False) -> list[dict[str, Any]]:
        """The lines of a kind; of updates the live ones, or the newest values."""
        return [
            line
            for line in self.lines
            if line.get("kind") == kind and bool(line.get("snapshot", False)) is snapshot
        ]

    def wait_for(self, kind: str, count: int = 1, *, snapshot: bool = False) -> list[dict[str, Any]]:
        """As soon as there are `count` of them."""
        eventually(
            lambda: len(self.of(kind, snapshot=snapshot)) >= count or self.process.poll() is not None,
            timeout_s=40.0,
        )
        found = self.of(kind, snapshot=snapshot)
        assert len(found) >= count, self.lines
        return found

    def ended(self) -> list[dict[str, Any]]:
        """Everything, once it has ended by itself."""
        assert self.process.wait(timeout=40) == 0
        self._reader.join()
        return self.lines

    def end(self) -> None:
        """End it, if it has not."""
        self.process.terminate()
        self.process.wait(timeout=10)
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.lines.append(json.loads(line))


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(HERE.parent.parent / "clients/python/src")}
