"""Programs of the system that some tests need."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def missing(told: str) -> NoReturn:
    """What this test needs is not there: by hand it is skipped, in CI it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(told)
    pytest.skip(told)


def find(name: str, package: str) -> str:
    """Where `name` of Debian's `package` is."""
    # Debian keeps servers where only root looks.
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        missing(f"{name} is not installed: apt-get install -y {package}")
    return found
