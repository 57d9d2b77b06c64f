"""Programs of the system that some tests need."""

from __future__ import annotations

import os
import shutil

import pytest


def find(name: str, package: str) -> str:
    """Where `name` of Debian's `package` is; without it the test is skipped by hand, and fails in CI."""
    # Debian keeps servers where only root looks.
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        told = f"{name} is not installed: apt-get install -y {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    return found
