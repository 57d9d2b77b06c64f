"""Every line carries its request's id, and a library's repeated trace of one outage becomes one line."""

from __future__ import annotations

import contextvars
import json
import logging
import logging.config
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from observability import request_context
from observability.logging import AnsweredFilter, OncePerOutageFilter, RequestIdFilter, logging_config

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import logging, logging.config, sys
from observability import request_context
from observability.logging import logging_config

logging.config.dictConfig(logging_config(sys.argv[1]))
logging.getLogger("gateway").info("outside")
request_context.bind("request-1")
logging.getLogger("gateway").info("inside")
logging.getLogger("gateway").debug("detail")
logging.getLogger("uvicorn.error").info("GET /ws?token=secret")
logging.getLogger("django.request").warning("Not Found: /x", extra={"status_code": 404})
logging.getLogger("django.request").error("Service Unavailable: /x", extra={"status_code": 503})
logging.getLogger("django.request").error("Internal Server Error: /x", extra={"status_code": 500})
for _ in range(3):
    try:
        raise ConnectionError("refused")
    except ConnectionError:
        logging.getLogger("channels_redis.pubsub").exception("cannot receive")
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
def test_the_level_is_the_roots_and_uvicorn_is_never_below_warning(level: str) -> None:
    config = logging_config(level)
    assert config["root"] == {"handlers": ["stderr"], "level": level}
    assert config["loggers"]["uvicorn.error"]["level"] == ("ERROR" if level == "ERROR" else "WARNING")
    assert config["disable_existing_loggers"] is False


def test_every_named_filter_formatter_and_handler_is_defined() -> None:
    config = logging_config("INFO")
    users = [*config["handlers"].values(), *config["loggers"].values(), config["root"]]
    assert {name for user in users for name in user.get("filters", ())} == config["filters"].keys()
    assert {handler["formatter"] for handler in config["handlers"].values()} == config["formatters"].keys()
    assert {name for user in users for name in user.get("handlers", ())} == config["handlers"].keys()


def logged_at(level: str) -> list[str]:
    """What a process that is configured for `level` writes to stderr, without the times."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, level],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert [line for line in lines if not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} ", line)] == []
    return [line.partition(" ")[2] for line in lines]


def test_a_process_writes_one_line_per_event_with_time_level_name_and_request() -> None:
    assert logged_at("INFO") == [
        "INFO gateway [-] outside",
        "INFO gateway [request-1] inside",
        "ERROR django.request [request-1] Internal Server Error: /x",
        "ERROR channels_redis.pubsub [request-1] cannot receive ConnectionError: refused",
    ]


def test_debug_shows_details_but_no_url_with_a_token() -> None:
    lines = logged_at("DEBUG")
    assert "DEBUG gateway [request-1] detail" in lines
    assert "secret" not in json.dumps(lines)


def test_at_error_only_errors_are_written() -> None:
    assert [line.split()[0] for line in logged_at("ERROR")] == ["ERROR", "ERROR"]
