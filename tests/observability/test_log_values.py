"""What looks like a secret is hidden, wherever it stands, and nothing else is."""

from __future__ import annotations

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import keys, sessions, tickets
from observability.log_values import MOST_CHARACTERS, escaped, redact, redact_field

# The same in every process that collects these tests.
KEY = keys.make_key(uuid.UUID(int=7), "live")[:32] + "Ab0" * 12 + "xy"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"key {KEY} is refused", f"key {KEY[:32]}*** is refused"),
        (KEY.replace("live", "test"), f"{KEY[:32].replace('live', 'test')}***"),
        (KEY.replace("_", "", 3)[:40], KEY.replace("_", "", 3)[:40]),  # no key of ours
        ("pgw_live_" + "a" * 40, "pgw_live_***"),
        (f"token {tickets.PREFIX}{'a' * 43}", f"token {tickets.PREFIX}***"),
        (sessions.REFRESH_PREFIX + "b" * 43, f"{sessions.REFRESH_PREFIX}***"),
        (f"Bearer {JWT}", "Bearer ***"),
        (f"jwt {JWT}!", "jwt ***!"),
        ("/ws?token=abc&x=1", "/ws?token=***&x=1"),
        ("GET /auth/profile?api_key=abc HTTP", "GET /auth/profile?api_key=*** HTTP"),
        ("postgresql://u:s3cret@h:5432/d", "postgresql://u:***@h:5432/d"),
        ("nats://u:p@a:4222,nats://u:p@b:4222", "nats://u:***@a:4222,nats://u:***@b:4222"),
        ("redis://:p@h", "redis://:***@h"),
        ("password='abc' host=h", "password='***' host=h"),
        ("{'password': 'abc', 'a': 1}", "{'password': '***', 'a': 1}"),
        ('{"refresh_token":"abc"}', '{"refresh_token":"***"}'),
        ("X-API-Key: abc", "X-API-Key: ***"),
        (
            "[(b'authorization', b'Basic YTpi'), (b'x', b'y')]",
            "[(b'authorization', b'Basic ***'), (b'x', b'y')]",
        ),
        ("Cookie: sessionid=abc; csrftoken=def", "Cookie: ***"),
    ],
)
def test_a_secret_is_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Redis (newest values) is unavailable: ConnectionError: refused",
        "authentication failed: token, key -, from 127.0.0.1",
        "key 0000000000000000000007 was rotated",
        "http://127.0.0.1:8000/api/prediction/AAPL?limit=5",
        "could not look a credential up: OperationalError",
        "the token is not valid",
        "eyJ is no token",
    ],
)
def test_what_is_no_secret_is_left_as_it_is(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "name", ["password", "SECRET_KEY", "access_token", "X-API-Key", "api_key", "Authorization", "Cookie"]
)
def test_a_field_with_such_a_name_is_hidden_whatever_it_holds(name: str) -> None:
    assert redact_field(name, "x") == redact_field(name, 7) == redact_field(name, ["x"]) == "***"
    assert redact_field("headers", {name: "x", "n": 1}) == {name: "***", "n": 1}
    assert redact_field(name, None) is None


def test_a_field_is_something_that_json_has() -> None:
    told = redact_field(
        "told", {"a": (1, 2.5, True, None), "b": {"c": {"d": {"e": {}}}}, 3: uuid.UUID(int=7)}
    )
    assert told["a"] == [1, 2.5, True, None]
    assert told["b"]["c"]["d"] == {"e": "{}"}
    assert told["3"] == "00000000-0000-0000-0000-000000000007"


def test_what_is_too_long_is_cut_and_says_so() -> None:
    text = redact("x" * 100_000)
    assert (len(text), text[-6:]) == (MOST_CHARACTERS + 6, " (cut)")
    assert KEY[-10:] not in redact("x" * (MOST_CHARACTERS - 40) + " " + KEY)


@pytest.mark.parametrize(
    "text",
    [
        "eyJ" * 5_000,
        "-eyJa." * 3_000,
        "pgw_live_" * 2_000,
        "://" * 5_000,
        "://a:" * 3_000,
        "token" * 3_000,
        "bearer " * 2_000,
        "cookie:" * 2_000,
        "a" * 16_000,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    began_s = time.perf_counter()
    redact(text)
    assert time.perf_counter() - began_s < 0.5


@given(st.text())
def test_what_is_escaped_is_one_line_that_can_be_written(text: str) -> None:
    shown = escaped(text)
    assert len(shown.splitlines()) <= 1
    shown.encode()


def test_control_characters_are_shown_as_in_a_string() -> None:
    assert escaped("a\nb\x1b[31m\x9b\u2028\u202eü") == "a\\nb\\x1b[31m\\x9b\\u2028\\u202eü"
