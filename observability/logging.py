"""The logging configuration: one line per event on stderr, with the request id where there is one."""

from __future__ import annotations

import logging
import time
from typing import Any

from observability import request_context


class RequestIdFilter(logging.Filter):
    """Puts the current request id into every record as ``request_id`` ("-" outside of a request)."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_context.current() or "-"
        return True


class OncePerOutageFilter(logging.Filter):
    """Lets an identical error through once per `quiet_s` and without its trace.

    For libraries that log a full trace on every try while a server is away.
    """

    def __init__(self, quiet_s: float = 30.0) -> None:
        super().__init__()
        self._quiet_s = quiet_s
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        key = f"{record.msg}:{type(error).__name__}"[:200]
        now = time.monotonic()
        if now - self._last.get(key, -self._quiet_s) < self._quiet_s:
            return False
        if len(self._last) >= 100:
            self._last.clear()
        self._last[key] = now
        if error is not None:
            record.msg = f"{record.getMessage()} {type(error).__name__}: {error}"
            record.args, record.exc_info, record.exc_text = (), None, None
        return True


class AnsweredFilter(logging.Filter):
    """Drops Django's line for a 503: the outage behind it has been logged once, where it was noticed."""

    def filter(self, record: logging.LogRecord) -> bool:
        return getattr(record, "status_code", None) != 503


def logging_config(level: str) -> dict[str, Any]:
    """Return the ``LOGGING`` dictionary for `level` (DEBUG, INFO, WARNING, ERROR)."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "request_id": {"()": RequestIdFilter},
            "once_per_outage": {"()": OncePerOutageFilter},
            "answered": {"()": AnsweredFilter},
        },
        "formatters": {
            "line": {
                "format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s",
                "datefmt": "%Y-%m-%dT%H:%M:%S%z",
            }
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["request_id"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "channels_redis.pubsub": {"filters": ["once_per_outage"]},
            "psycopg.pool": {"filters": ["once_per_outage"]},
            "django.security.DisallowedHost": {"filters": ["once_per_outage"]},
            # Each refused request already answers with a problem body; a line per 4xx tells nothing.
            "django.request": {"level": "ERROR", "filters": ["answered"]},
            # At INFO uvicorn logs socket URLs with their query, where a token may stand.
            "uvicorn.error": {"level": "ERROR" if level == "ERROR" else "WARNING"},
        },
    }
