"""The peers' libraries: installed once under ``.data``, apart from what the gateway needs."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.sockets.ground import ROOT

_HERE = Path(__file__).resolve().parent
_REQUIREMENTS = _HERE / "requirements.txt"
_NODE = _HERE / "contenders" / "node"
_VENV = ROOT / ".data" / "bench-venv"
PYTHON = _VENV / "bin" / "python"
NODE_FOLDER = ROOT / ".data" / "bench-node"


def install() -> None:
    """Install what the pins ask for, unless it is there."""
    _install_once(_VENV, [_REQUIREMENTS], _install_python)
    _install_once(NODE_FOLDER, [_NODE / "package.json", _NODE / "package-lock.json"], _install_node)


def environ() -> dict[str, str]:
    """Where Node finds its packages."""
    return {"NODE_PATH": str(NODE_FOLDER / "node_modules"), "NODE_ENV": "production"}


def _install_once(folder: Path, pins: list[Path], install_into: Callable[[], None]) -> None:
    digest = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins)).hexdigest()
    stamp = folder / ".installed"
    if stamp.exists() and stamp.read_text() == digest:
        return
    sys.stderr.write(f"installing the peers' libraries into {folder.relative_to(ROOT)} ...\n")
    install_into()
    stamp.write_text(digest)


def _install_python() -> None:
    _run(sys.executable, "-m", "venv", str(_VENV))
    _run(str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(_REQUIREMENTS))


def _install_node() -> None:
    NODE_FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_NODE / name, NODE_FOLDER)
    _run("npm", "ci", "--silent", "--prefix", str(NODE_FOLDER))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=300)  # noqa: S603 - commands of this module
