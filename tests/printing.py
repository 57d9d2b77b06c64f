"""A program that prints JSON, a line each, and goes on while a test looks."""

from __future__ import annotations

import json
import subprocess
import threading
from typing import Any


class Printing:
    """The process, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.printed: list[Any] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def ended(self) -> list[Any]:
        """Everything, once it has ended well by itself."""
        assert self.process.wait(timeout=60) == 0
        self._reader.join()
        return self.printed

    def end(self) -> None:
        """End it, if it has not ended."""
        self.process.terminate()
        self.process.wait(timeout=60)
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.printed.append(json.loads(line))
