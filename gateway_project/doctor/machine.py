"""The machine and the versions: what this process can see without asking anybody."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from django.conf import settings

from gateway_project import config, server, system_limits
from gateway_project.doctor.findings import Finding, note, ok
from observability.version import COMMIT, VERSION

_LIBRARIES = ("django", "djangorestframework", "channels", "channels-redis", "uvicorn", "nats-py", "redis")
_LEAST_FREE = 0.1


def look() -> Iterable[Finding]:
    """Versions, limits of the system, and the disk."""
    yield ok("gateway", f"{VERSION}, commit {COMMIT}, Python {platform.python_version()} on {sys.platform}")
    yield ok("libraries", ", ".join(f"{name} {metadata.version(name)}" for name in _LIBRARIES))
    yield from _look_at_settings(os.environ)
    system_limits.raise_open_files()
    advice = system_limits.advise(system_limits.read(), backlog=server.BACKLOG, workers=2)
    for sentence in advice:
        seen, _, remedy = sentence.partition(". ")
        yield note("system limits", seen, remedy)
    if not advice:
        yield ok("system limits", "open files, waiting connections and their migration are as wanted")
    yield from _look_at_disk(settings.GATEWAY.data_dir)


def _look_at_settings(environ: Mapping[str, str]) -> Iterable[Finding]:
    misspelt = config.find_misspelt(environ)
    for name, meant in misspelt.items():
        yield note("settings", f"the environment variable {name} is no setting", f"is {meant} meant?")
    if not misspelt:
        yield ok("settings", "all that are given are known and valid")


def _look_at_disk(folder: Path) -> Iterable[Finding]:
    place = folder if folder.is_dir() else Path.cwd()
    usage = shutil.disk_usage(place)
    free = usage.free / usage.total
    seen = f"{usage.free / 1e9:.1f} GB free ({free:.0%})"
    if free < _LEAST_FREE:
        yield note("disk", seen, f"make room on the disk of {place}")
    else:
        yield ok("disk", seen)
