"""A cursor names one place in the history to the microsecond; junk is refused, never guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from predictions import cursors
from predictions.cursors import MalformedCursor

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@given(
    timestamp=st.datetimes(timezones=st.just(UTC)),
    seq=st.integers(min_value=0, max_value=2**63 - 1),
)
@example(timestamp=FIRST, seq=0)
@example(timestamp=LAST, seq=2**63 - 1)
@example(timestamp=datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), seq=1)
@example(timestamp=datetime(1970, 1, 1, tzinfo=UTC), seq=0)
def test_every_moment_and_sequence_comes_back_from_its_cursor(timestamp: datetime, seq: int) -> None:
    decoded = cursors.decode(cursors.encode(timestamp, seq))
    assert decoded == (timestamp, seq)
    assert decoded[0].tzinfo is UTC


@given(timestamp=st.datetimes(max_value=datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
def test_neighbouring_microseconds_have_different_cursors(timestamp: datetime) -> None:
    assert cursors.encode(timestamp, 1) != cursors.encode(timestamp + MICROSECOND, 1)
    assert cursors.encode(timestamp, 1) != cursors.encode(timestamp, 2)


def test_a_cursor_is_safe_in_a_query_string() -> None:
    for timestamp in (FIRST, LAST, datetime(2013, 3, 1, 21, tzinfo=UTC)):
        assert set(cursors.encode(timestamp, 2**63 - 1)) <= set("0123456789abcdef.-")


def test_a_moment_has_one_cursor_whatever_its_offset() -> None:
    moment = datetime(2013, 3, 1, 21, 0, 0, 1, tzinfo=UTC)
    assert cursors.encode(moment.astimezone(timezone(timedelta(hours=9))), 7) == cursors.encode(moment, 7)


@pytest.mark.parametrize("junk", ["", ".", "1", "1.", ".1", "1.1.1", "1,1", "2013-03-01T00:00:00Z"])
def test_junk_is_refused_with_what_to_send_instead(junk: str) -> None:
    with pytest.raises(MalformedCursor, match="pass the `next` of an earlier answer"):
        cursors.decode(junk)


@pytest.mark.parametrize(
    "number", ["x", "A", "--1", "+1", "0x1", " 1", "1 ", "1\n", "1_0", "\uff11", "1\0", "0" * 17]
)
def test_what_python_would_read_as_a_number_is_not_one_in_a_cursor(number: str) -> None:
    for junk in (f"{number}.1", f"1.{number}"):
        with pytest.raises(MalformedCursor, match="pass the `next` of an earlier answer"):
            cursors.decode(junk)


def test_a_negative_sequence_is_junk() -> None:
    with pytest.raises(MalformedCursor):
        cursors.decode("1.-1")


@given(st.text(max_size=40))
def test_any_text_is_a_cursor_or_malformed(text: str) -> None:
    try:
        timestamp, seq = cursors.decode(text)
    except MalformedCursor:
        return
    assert FIRST <= timestamp <= LAST
    assert 0 <= seq < 2**63


@given(st.from_regex(r"\A-?[0-9a-f]{1,16}\.[0-9a-f]{1,16}\Z"))
def test_any_text_of_the_right_form_is_a_place_or_out_of_range(text: str) -> None:
    try:
        timestamp, seq = cursors.decode(text)
    except MalformedCursor as error:
        assert str(error).endswith("is out of range")  # noqa: PT017 - some texts raise, some do not
    else:
        assert cursors.decode(cursors.encode(timestamp, seq)) == (timestamp, seq)


@pytest.mark.parametrize(
    "microseconds",
    [(LAST - EPOCH) // MICROSECOND + 1, (FIRST - EPOCH) // MICROSECOND - 1, 2**64 - 1, 1 - 2**64],
)
def test_a_time_outside_of_the_calendar_is_refused(microseconds: int) -> None:
    with pytest.raises(MalformedCursor, match="its time is out of range"):
        cursors.decode(f"{microseconds:x}.1")


@pytest.mark.parametrize("seq", [2**63, 2**64 - 1])
def test_a_sequence_beyond_what_the_database_holds_is_refused(seq: int) -> None:
    with pytest.raises(MalformedCursor, match="its sequence is out of range"):
        cursors.decode(f"0.{seq:x}")


def test_a_malformed_cursor_is_a_value_error() -> None:
    assert issubclass(MalformedCursor, ValueError)
