"""What a process must not do under any input: die, trace, complain beyond what is declared, or grow."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.side_by_side.processes import count_files, family, own_resident_kb

_QUIET_LEVELS = ("debug", "info", "warning")


class Level(NamedTuple):
    """Resident memory of a process and of its children, and the open descriptors of all."""

    resident_mb: float
    children_mb: float
    files: int


def level_of(process: subprocess.Popen[bytes]) -> Level:
    """How it stands now."""
    own, *children = family(process.pid)
    files = sum(map(count_files, (own, *children)))
    return Level(own_resident_kb(own) / 1024, sum(map(own_resident_kb, children)) / 1024, files)


def in_short(levels: Sequence[Level]) -> str:
    """For the summary."""
    resident = " ".join(f"{level.resident_mb:.0f}" for level in levels)
    children = " ".join(f"{level.children_mb:.0f}" for level in levels)
    files = " ".join(str(level.files) for level in levels)
    return f"{resident} MB, children {children} MB, {files} descriptors"


class Log:
    """The lines that processes have written to one file; each is read once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0
        self.told: Counter[str] = Counter()

    def check(self) -> None:
        """Count what was written since the last time by level; AssertionError for a trace or an error."""
        for line in self._new_lines():
            assert b"Traceback" not in line, line.decode(errors="replace")
            level = json.loads(line)["level"]
            assert level in _QUIET_LEVELS, line.decode(errors="replace")
            self.told[level] += 1

    def _new_lines(self) -> Iterator[bytes]:
        with self._path.open("rb") as log:
            log.seek(self._place)
            for line in log:
                if not line.endswith(b"\n"):  # still being written
                    break
                self._place += len(line)
                yield line
