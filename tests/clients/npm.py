"""Node and what `tools/` installs for it, as tests call them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from gateway_project.settings import BASE_DIR
from tests import programs

TOOLS = BASE_DIR / "tools/node_modules"
# Node 20 has a WebSocket only if asked for; newer ones take the option as well.
NODE: tuple[str, ...] = ("node", "--experimental-websocket", "--no-warnings")


def tool(name: str) -> Path:
    """A program of `tools/`."""
    return find(f".bin/{name}")


def find(path: str) -> Path:
    """What `tools/` has installed at `path`."""
    found = TOOLS / path
    if not found.exists():
        programs.missing("the npm tools are not installed: make tools/node_modules")
    return found


def run(*command: str | Path, cwd: Path, **environ: str) -> str:
    """What the program prints; it must end well."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "PATH": path, **environ},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
