"""Calls that really happen at the same moment, each with a database connection of its own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connection

T = TypeVar("T")


def together(*calls: Callable[[], T]) -> list[T]:
    """Make every call in a thread of its own, all beginning at the same moment; what each gave, in order."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        try:
            gate.wait(timeout=60)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def race(call: Callable[[], Any], times: int) -> Counter[str]:
    """What came out of `call` in `times` threads that begin at the same moment, by kind."""

    def run() -> str:
        try:
            return type(call()).__name__
        except Exception as error:
            return type(error).__name__

    return Counter(together(*[run] * times))
