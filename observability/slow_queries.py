"""A log of statements that take long: what they said, never with which values."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

_LONGEST_SHOWN = 1_000

Execute = Callable[[str, Any, bool, dict[str, Any]], Any]


class SlowQueryLog:
    """Django's hook around every statement; logs those that take `slow_ms` or longer."""

    def __init__(self, slow_ms: float) -> None:
        self._slow_s = slow_ms / 1000

    def watch(self, connection: BaseDatabaseWrapper) -> None:
        """From now on look at the statements of `connection`; a second call does nothing."""
        if self not in connection.execute_wrappers:
            connection.execute_wrappers.append(self)

    def __call__(self, execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """Execute it."""
        began_s = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            took_s = time.perf_counter() - began_s
            if took_s >= self._slow_s:
                said = " ".join(sql.split())[:_LONGEST_SHOWN]
                logger.warning("slow query, %.0f ms: %s", took_s * 1000, said)
