"""Each event is one line with its request's id; a library's repeated trace of one outage becomes one line."""

from __future__ import annotations

import contextvars
import json
import logging
import logging.config
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability import request_context
from observability.log_sink import Sink
from observability.logging import (
    AnsweredFilter,
    OncePerOutageFilter,
    RequestIdFilter,
    StderrHandler,
    logging_config,
    make_formatter,
)

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import logging, logging.config, sys
from observability import request_context
from observability.logging import logging_config

logging.config.dictConfig(logging_config(*sys.argv[1:]))
logging.getLogger("gateway").info("outside")
request_context.bind("request-1")
logging.getLogger("gateway").info("inside")
logging.getLogger("gateway").info("of another", extra={"request_id": "request-2"})
logging.getLogger("gateway").debug("detail")
logging.getLogger("uvicorn.error").info("GET /ws?token=hidden-token")
logging.getLogger("django.db.backends").debug("SELECT 1", extra={"params": ("hidden-token",)})
logging.getLogger("django.request").warning("Not Found: /x", extra={"status_code": 404})
logging.getLogger("django.request").error("Service Unavailable: /x", extra={"status_code": 503})
logging.getLogger("django.request").error("Internal Server Error: /x", extra={"status_code": 500})
for _ in range(3):
    try:
        raise ConnectionError("refused")
    except ConnectionError:
        logging.getLogger("channels_redis.pubsub").exception("cannot receive")
try:
    raise ValueError("evil\\n2026-01-01T00:00:00.000Z [info] gateway")
except ValueError:
    logging.getLogger("gateway").exception("not expected")
"""


def record(message: str = "cannot receive", *arguments: object, error: Exception | None = None) -> Any:
    """A log record as a library makes it; with a trace where there is an `error`."""
    trace = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("library", logging.ERROR, "file.py", 1, message, arguments, trace)


def test_outside_of_a_request_the_id_of_a_record_is_a_dash() -> None:
    made = record()
    assert contextvars.Context().run(RequestIdFilter().filter, made) is True
    assert made.request_id == "-"


def test_inside_of_a_request_a_record_carries_its_id() -> None:
    made, context = record(), contextvars.Context()
    context.run(request_context.bind, "request-1")
    assert context.run(RequestIdFilter().filter, made) is True
    assert made.request_id == "request-1"


def test_a_repeated_error_passes_once_and_without_its_trace() -> None:
    once = OncePerOutageFilter(quiet_s=3600)
    first, second = record(error=ConnectionError("refused")), record(error=ConnectionError("refused"))
    assert once.filter(first)
    assert not once.filter(second)
    assert first.getMessage() == "cannot receive ConnectionError: refused"
    assert logging.Formatter("%(message)s").format(first) == "cannot receive ConnectionError: refused"
    assert second.exc_info is not None


def test_another_error_or_message_passes_beside_it() -> None:
    once = OncePerOutageFilter(quiet_s=3600)
    assert once.filter(record(error=ConnectionError("refused")))
    assert once.filter(record(error=TimeoutError("refused")))
    assert once.filter(record("cannot send", error=ConnectionError("refused")))
    assert once.filter(record())
    assert not once.filter(record())


def test_arguments_do_not_make_another_message() -> None:
    once = OncePerOutageFilter(quiet_s=3600)
    first = record("try %d of %s", 1, "100%", error=ConnectionError("50% lost"))
    assert once.filter(first)
    assert first.getMessage() == "try 1 of 100% ConnectionError: 50% lost"
    assert not once.filter(record("try %d of %s", 2, "100%", error=ConnectionError("refused")))


def test_a_record_without_an_error_is_left_as_it_is() -> None:
    made = record("try %d", 1)
    assert OncePerOutageFilter().filter(made)
    assert (made.msg, made.args, made.exc_info) == ("try %d", (1,), None)


def test_after_the_quiet_time_the_error_passes_again() -> None:
    once = OncePerOutageFilter(quiet_s=0)
    assert all(once.filter(record(error=ConnectionError("refused"))) for _ in range(3))


def test_what_is_remembered_is_bounded() -> None:
    once = OncePerOutageFilter(quiet_s=3600)
    assert all(once.filter(record(f"message {number}")) for number in range(100))
    assert not once.filter(record("message 0"))
    assert once.filter(record("message 100"))
    assert once.filter(record("message 0"))
    assert not once.filter(record("message 100"))


def test_long_messages_are_told_apart_by_their_beginning() -> None:
    once = OncePerOutageFilter(quiet_s=3600)
    assert once.filter(record("x" * 300 + "a"))
    assert not once.filter(record("x" * 300 + "b"))


def test_django_is_not_heard_on_a_503_but_on_every_other_error() -> None:
    for status, heard in ((503, False), (500, True), (400, True)):
        made = record()
        made.status_code = status
        assert AnsweredFilter().filter(made) is heard
    assert AnsweredFilter().filter(record())


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_the_level_is_the_roots_and_libraries_are_never_below_it(level: str) -> None:
    config = logging_config(level)
    assert config["root"] == {"handlers": ["stderr"], "level": level}
    assert config["loggers"]["uvicorn.error"]["level"] == ("ERROR" if level == "ERROR" else "WARNING")
    assert config["loggers"]["django"]["level"] == ("INFO" if level == "DEBUG" else level)
    assert config["disable_existing_loggers"] is False


def test_every_named_filter_formatter_and_handler_is_defined() -> None:
    config = logging_config("INFO")
    users = [*config["handlers"].values(), *config["loggers"].values(), config["root"]]
    assert {name for user in users for name in user.get("filters", ())} == config["filters"].keys()
    assert {handler["formatter"] for handler in config["handlers"].values()} == config["formatters"].keys()
    assert {name for user in users for name in user.get("handlers", ())} == config["handlers"].keys()


def written(level: str, form: str) -> str:
    """What a process that is configured so writes to stderr."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, level, form],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == ""
    return done.stderr


def logged_at(level: str) -> list[dict[str, Any]]:
    """The lines of `written` as JSON."""
    return [json.loads(line) for line in written(level, "auto").splitlines()]


def test_where_stderr_is_no_terminal_each_event_is_one_json_object_in_one_line() -> None:
    lines = logged_at("INFO")
    told = [(line["level"], line["logger"], line["request_id"], line["event"]) for line in lines]
    assert told == [
        ("info", "gateway", "-", "outside"),
        ("info", "gateway", "request-1", "inside"),
        ("info", "gateway", "request-2", "of another"),
        ("error", "django.request", "request-1", "Internal Server Error: /x"),
        ("error", "channels_redis.pubsub", "request-1", "cannot receive ConnectionError: refused"),
        ("error", "gateway", "request-1", "not expected"),
    ]
    for line in lines:
        assert list(line)[:5] == ["timestamp", "level", "logger", "event", "request_id"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"])


def test_a_trace_is_one_field_of_its_line() -> None:
    traced = [line for line in logged_at("INFO") if "exception" in line]
    assert [line["event"] for line in traced] == ["not expected"]
    assert traced[0]["exception"].startswith("Traceback (most recent call last):\n")
    assert traced[0]["exception"].endswith("ValueError: evil\n2026-01-01T00:00:00.000Z [info] gateway")


def test_debug_shows_details_but_no_url_with_a_token() -> None:
    lines = logged_at("DEBUG")
    assert "detail" in [line["event"] for line in lines]
    assert "hidden-token" not in json.dumps(lines)


def test_at_error_only_errors_are_written() -> None:
    assert {line["level"] for line in logged_at("ERROR")} == {"error"}


def test_lines_for_people_hold_the_same_and_no_trace_passes_for_an_event() -> None:
    text = written("INFO", "pretty")
    assert "\x1b" not in text  # colours are for terminals
    first = text.splitlines()[0]
    assert re.fullmatch(r"[-\d]{10}T[\d:.]{12}Z \[info     \] outside +\[gateway\] request_id=-", first)
    begins = re.compile(r" {4}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[")
    assert all(begins.match(line) for line in text.splitlines())
    assert "\n    2026-01-01T00:00:00.000Z [info] gateway\n" in text


def test_an_error_that_ends_the_process_is_a_line_too() -> None:
    script = SCRIPT.replace("for _ in range(3)", "sys.excepthook = log_uncaught; 1 / 0\nfor _ in range(3)")
    script = script.replace("import logging_config", "import log_uncaught, logging_config")
    done = subprocess.run(
        [sys.executable, "-c", script, "INFO", "auto"], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    line = json.loads(done.stderr.splitlines()[-1])
    assert (done.returncode, line["level"]) == (1, "critical")
    assert line["exception"].endswith("ZeroDivisionError: division by zero")


def formatted(form: str, message: str, *arguments: object, **extra: Any) -> str:
    """A line as a handler would write it."""
    made = logging.getLogger("gateway").makeRecord(
        "gateway", logging.INFO, "file.py", 1, message, arguments, None, extra=extra
    )
    RequestIdFilter().filter(made)
    return make_formatter(cast(Any, form)).format(made)


@pytest.mark.parametrize("form", ["json", "pretty"])
@given(st.text())
def test_whatever_is_logged_stays_in_one_line_without_control_characters(form: str, text: str) -> None:
    line = formatted(form, "%s", text, given=text)
    assert len(line.splitlines()) == 1
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", line)


def test_fields_beside_the_message_are_fields_of_the_line() -> None:
    line = json.loads(formatted("json", "told %s", "so", job_id="j-1", number=3, level="mine", other=object))
    assert (line["event"], line["job_id"], line["number"]) == ("told so", "j-1", 3)
    assert line["level"] == "info"
    assert line["other"] == "<class 'object'>"


def test_a_secret_in_a_message_or_a_field_is_hidden() -> None:
    text = formatted(
        "json", "GET %s", "/ws?token=swordfish&x=1", password="swordfish", url="redis://:swordfish@h"
    )
    assert "swordfish" not in text
    assert json.loads(text)["event"] == "GET /ws?token=***&x=1"


def test_a_handler_tells_how_many_lines_had_no_room() -> None:
    reading, writing = os.pipe()
    sink = Sink(writing, most_bytes=100_000)
    handler = StderrHandler(sink)
    handler.setFormatter(make_formatter("json"))
    for _ in range(20):
        handler.emit(record("x" * 16_000))
    assert not sink.has_room
    read: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=(reading, read))
    reader.start()
    handler.flush()
    handler.emit(record("again"))
    handler.flush()
    for end in (writing, sink._unblocking):
        if end is not None:
            os.close(end)
    reader.join(timeout=60)
    lines = [json.loads(line) for line in b"".join(read).splitlines()]
    assert lines[-2]["event"] == "again"
    assert lines[-1]["event"] == "lines dropped: stderr is not read"
    assert lines[-1]["dropped"] == 20 - (len(lines) - 2)


def _read_all(descriptor: int, read: list[bytes]) -> None:
    while piece := os.read(descriptor, 65_536):
        read.append(piece)
    os.close(descriptor)
