"""The peers' libraries: installed once under ``.data``, apart from what the gateway needs."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.side_by_side.ground import ROOT


@dataclass(frozen=True, slots=True)
class Peers:
    """Where they are pinned, and installed: Python's in `venv`, Node's in `node_folder`."""

    requirements: Path
    node_pins: Path
    venv: Path
    node_folder: Path

    @property
    def python(self) -> Path:
        """The interpreter that finds the Python libraries."""
        return self.venv / "bin" / "python"

    def environ(self) -> dict[str, str]:
        """Where Node finds its packages."""
        return {"NODE_PATH": str(self.node_folder / "node_modules"), "NODE_ENV": "production"}

    def install(self) -> None:
        """Install what the pins ask for, unless it is there."""
        _install_once(self.venv, [self.requirements], self._install_python)
        _install_once(self.node_folder, self._node_files(), self._install_node)

    def _node_files(self) -> list[Path]:
        return [self.node_pins / "package.json", self.node_pins / "package-lock.json"]

    def _install_python(self) -> None:
        _run(sys.executable, "-m", "venv", str(self.venv))
        pip = (str(self.python), "-m", "pip", "install", "-q", "--disable-pip-version-check")
        _run(*pip, "-r", str(self.requirements))

    def _install_node(self) -> None:
        self.node_folder.mkdir(parents=True, exist_ok=True)
        for file in self._node_files():
            shutil.copy(file, self.node_folder)
        _run("npm", "ci", "--silent", "--prefix", str(self.node_folder))


def _install_once(folder: Path, pins: list[Path], install_into: Callable[[], None]) -> None:
    digest = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins)).hexdigest()
    stamp = folder / ".installed"
    if stamp.exists() and stamp.read_text() == digest:
        return
    sys.stderr.write(f"installing the peers' libraries into {folder.relative_to(ROOT)} ...\n")
    install_into()
    stamp.write_text(digest)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=300)  # noqa: S603 - commands of this module
