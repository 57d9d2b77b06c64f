"""The logging configuration: one JSON object a line on stderr, or lines for people where that is a terminal.

Every module logs with the standard library; structlog only forms the lines. Each line bears the id of its
request, and what looks like a secret is hidden (`observability.log_values`). Requests have lines of their own
(`observability.access_log`).
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

from observability import request_context, tracing
from observability.log_sink import STDERR, Sink
from observability.log_values import escaped, redact, redact_field
from observability.without import without

# Of no use here, and a third of the time in which a command starts; Twisted comes with daphne.
with without("twisted", "rich"):
    from structlog.dev import ConsoleRenderer, plain_traceback
    from structlog.stdlib import ProcessorFormatter
    from structlog.typing import EventDict, Processor, WrappedLogger

logger = logging.getLogger(__name__)

Form = Literal["auto", "json", "pretty"]

NO_REQUEST = "-"
"""The request id of lines outside of a request."""

_RECORD_ATTRIBUTES = logging.LogRecord("", 0, "", 0, "", (), None).__dict__.keys() | {"taskName"}
_TRACE = "exception"


class RequestIdFilter(logging.Filter):
    """Puts the current request id into every record as ``request_id``, unless whoever logs has named one."""

    def filter(self, record: logging.LogRecord) -> bool:
        named: str | None = getattr(record, "request_id", None)
        record.request_id = named or request_context.current() or NO_REQUEST
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


class StderrHandler(logging.Handler):
    """Leaves each line to `observability.log_sink`; of what had no room there, the next line tells."""

    def __init__(self, sink: Sink = STDERR) -> None:
        super().__init__()
        self._sink = sink
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if not self._put(record):
                self._dropped += 1
            elif self._dropped and self._put(_record_of_loss(self._dropped)):
                self._dropped = 0
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Wait until the lines are written, two seconds at most."""
        self._sink.flush()

    def _put(self, record: logging.LogRecord) -> bool:
        return self._sink.put(self.format(record).encode("utf-8", "backslashreplace") + b"\n")


def log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Python's hook for an error that ends the process: a line, as of everything else."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logger.critical("ended by an error that nobody expected", exc_info=(kind, error, trace))


def _record_of_loss(dropped: int) -> logging.LogRecord:
    fields = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "dropped": dropped}
    return logging.makeLogRecord({**fields, "msg": "lines dropped: stderr is not read"})


def is_pretty(form: Form) -> bool:
    """Whether lines are for people."""
    return form == "pretty" or (form == "auto" and sys.stderr is not None and sys.stderr.isatty())


def make_formatter(form: Form) -> logging.Formatter:
    """The formatter of all lines."""
    rendering: list[Processor] = [_as_json]
    if is_pretty(form):
        colours = sys.stderr is not None and sys.stderr.isatty()
        pretty = ConsoleRenderer(colors=colours, sort_keys=False, exception_formatter=plain_traceback)
        rendering = [_in_one_line, pretty]
    return ProcessorFormatter(
        foreign_pre_chain=[_fields_of],
        processors=[ProcessorFormatter.remove_processors_meta, *rendering],
    )


def logging_config(level: str, form: Form = "auto") -> dict[str, Any]:
    """Return the ``LOGGING`` dictionary for `level` (DEBUG, INFO, WARNING, ERROR)."""
    formatter: Callable[[], logging.Formatter] = lambda: make_formatter(form)  # noqa: E731
    at_least_info = "INFO" if level == "DEBUG" else level
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "request_id": {"()": RequestIdFilter},
            "once_per_outage": {"()": OncePerOutageFilter},
            "answered": {"()": AnsweredFilter},
        },
        "formatters": {"line": {"()": formatter}},
        "handlers": {"stderr": {"()": StderrHandler, "formatter": "line", "filters": ["request_id"]}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django brings handlers of its own; at DEBUG it logs every statement with its values.
            "django": {"handlers": [], "level": at_least_info, "propagate": True},
            "django.server": {"handlers": [], "level": at_least_info, "propagate": True},
            "channels_redis.pubsub": {"filters": ["once_per_outage"]},
            "psycopg.pool": {"filters": ["once_per_outage"]},
            "opentelemetry.exporter.otlp.proto.http.trace_exporter": {"filters": ["once_per_outage"]},
            "django.security.DisallowedHost": {"filters": ["once_per_outage"]},
            # Each refused request already answers with a problem body; a line per 4xx tells nothing.
            "django.request": {"level": "ERROR", "filters": ["answered"]},
            # At INFO uvicorn logs socket URLs with their query, where a token may stand.
            "uvicorn.error": {"level": "ERROR" if level == "ERROR" else "WARNING"},
        },
    }


def _fields_of(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """What a line tells, in its order: our own fields first, then those given by ``extra``."""
    record: logging.LogRecord = event["_record"]
    fields: dict[str, Any] = {
        "timestamp": _moment(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": redact(event["event"]),
        "request_id": getattr(record, "request_id", NO_REQUEST),
    }
    trace_id = tracing.current_trace_id()
    if trace_id:
        fields["trace_id"] = trace_id
    for name, value in record.__dict__.items():
        if name not in _RECORD_ATTRIBUTES and name not in fields and not name.startswith("_"):
            fields[name] = redact_field(name, value)
    exc_info = event.get("exc_info")
    if exc_info:
        fields[_TRACE] = redact("".join(traceback.format_exception(*exc_info)).rstrip())
    if event.get("stack_info"):
        fields["stack"] = redact(event["stack_info"])
    return {**fields, "_record": record, "_from_structlog": event["_from_structlog"]}


def _as_json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    # In ASCII: what is no printable character is escaped, whatever a terminal would make of it.
    return json.dumps(event, separators=(",", ":"), default=str)


def _in_one_line(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """No value goes beyond its line; those of a trace are set in, so that none passes for another event."""
    shown = {name: escaped(value) if isinstance(value, str) else value for name, value in event.items()}
    for name in (_TRACE, "stack"):
        if name in event:
            shown[name] = "\n".join(f"    {escaped(line)}" for line in event[name].splitlines())
    return shown


def _moment(at_s: float) -> str:
    """RFC 3339, in UTC, to the millisecond."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
