"""The folder of an embedded stack (`.data`): who holds it, its secret, its endpoints. Private."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from gateway_project.config import (
    ENDPOINTS_FILE,
    LOCK_FILE,
    SECRET_KEY_FILE,
    ConfigurationError,
    choose_data_dir,
)

_KEY_FILE = "demo_key"
_DASHBOARD_KEY_FILE = "dashboard_key"


class FolderInUse(Exception):
    """Another `manage.py up` runs in this folder."""


def choose(arguments: Sequence[str], base_dir: Path) -> None:
    """Make the folder that `manage.py up` will use known to the settings, before they are loaded.

    Takes ``--data DIR`` from the command's `arguments`; sets ``DATA_DIR`` and makes the secret key, so
    that the settings find both.
    """
    for place, argument in enumerate(arguments):
        if argument == "--data" and place + 1 < len(arguments):
            os.environ["DATA_DIR"] = str(Path(arguments[place + 1]).absolute())
        elif argument.startswith("--data="):
            os.environ["DATA_DIR"] = str(Path(argument.removeprefix("--data=")).absolute())
    if "SECRET_KEY" not in os.environ:
        folder = choose_data_dir(base_dir, os.environ)
        try:
            read_or_make(folder / SECRET_KEY_FILE, lambda: secrets.token_urlsafe(50))
        except OSError as error:
            raise ConfigurationError(f"the data folder {folder} cannot be used: {error}") from None


def read_or_make(path: Path, make: Callable[[], str]) -> str:
    """The text in the private file `path`, which is written with ``make()`` when it is not there yet."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        write_private(path, make())
    return path.read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` in one step, readable by its owner only."""
    draft = path.with_name(path.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text + "\n")
    draft.replace(path)


def lock(folder: Path) -> IO[bytes]:
    """Hold `folder` until the returned file is closed or the process ends; raises `FolderInUse`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = (folder / LOCK_FILE).open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise FolderInUse(str(folder)) from None
    return file


def demo_key_file(folder: Path) -> Path:
    """Where the key that `manage.py up` prints is kept, so that it stays the same at every start."""
    return folder / _KEY_FILE


def dashboard_key_file(folder: Path) -> Path:
    """Where the key is kept that the dashboard of `manage.py up` calls with."""
    return folder / _DASHBOARD_KEY_FILE


def write_endpoints(folder: Path, endpoints: dict[str, str]) -> None:
    """Tell other commands where the running stack is."""
    write_private(folder / ENDPOINTS_FILE, json.dumps(endpoints))


def remove_endpoints(folder: Path) -> None:
    """The stack is not running any more."""
    (folder / ENDPOINTS_FILE).unlink(missing_ok=True)
