"""The folder in which the workers of a launcher keep their metrics, so that each of them can tell of all.

The launcher makes it before its first worker, and removes it after the last.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator

from prometheus_client.multiprocess import mark_process_dead

from observability.exposition import SHARED_FOLDER


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Processes that are started meanwhile share their metrics."""
    folder = tempfile.mkdtemp(prefix="prediction-gateway-metrics-")
    os.environ[SHARED_FOLDER] = folder
    try:
        yield
    finally:
        del os.environ[SHARED_FOLDER]
        shutil.rmtree(folder, ignore_errors=True)


def forget(pid: int) -> None:
    """The process has ended: what it had open is open no more. What it counted stays."""
    if SHARED_FOLDER in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
