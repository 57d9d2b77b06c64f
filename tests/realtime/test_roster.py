"""What is asked about connections and answered: its form, who is meant, and who comes first."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import roster
from realtime.roster import Closed, Disconnect, Process, ProcessReport, Report, Row, Search, Wanted
from tests.examples import examples

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
REPLY = "0123456789abcdef" * 2


def row(id_: str = "a", **changes: Any) -> Row:
    """A connection that is well."""
    values: dict[str, Any] = {
        "id": id_,
        "name": "key 3Fa",
        "account_id": 7,
        "address": "203.0.113.7",
        "agent": "curl/8",
        "since": NOW,
        "symbols": [("AAPL", "all")],
        "symbol_count": 1,
        "sent": 5,
        "dropped": 0,
        "waiting": 0,
        "late_us": 0,
    }
    return Row(**values | changes)


def matches(text: str, *, symbols: tuple[str, ...] = (), **wanted: Any) -> bool:
    """Whether one connection is meant by a search."""
    return Search(Wanted(text=text, **wanted)).matches(
        id_="00ff00ff00ff",
        name="key 3Fa",
        account_id=7,
        address="203.0.113.7",
        agent="Mozilla/5.0",
        symbols=dict.fromkeys(symbols),
    )


def test_questions_and_answers_come_back_as_they_went() -> None:
    for question in (
        Report(REPLY),
        Report(REPLY, Wanted("acme", [1], ["key x"], ["id"]), 5),
        Disconnect(REPLY, ["id"]),
    ):
        message = roster.encode_question(question)
        assert message["type"] in roster.TYPES
        assert roster.decode_question(message) == question
    process = Process("host", 12, "all", NOW)
    for answer in (
        ProcessReport(process, 1, 2, 3, 4, 5, None, 6, [row()]),
        Closed(process, [row(name="", account_id=None)]),
    ):
        assert roster.decode_answer(roster.encode_answer(answer)) == answer


@pytest.mark.parametrize(
    "changes",
    [
        {"reply": "pgw:limit:x"},
        {"reply": REPLY + "0"},
        {"reply": None},
        {"most": roster.MOST_ROWS + 1},
        {"most": "all"},
        {"wanted": {"text": "x" * (roster.LONGEST_SEARCH + 1)}},
        {"wanted": {"ids": ["x"] * (roster.MOST_CLOSED + 1)}},
        {"type": "connections.other"},
    ],
)
def test_what_is_no_question_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        roster.decode_question({**roster.encode_question(Report(REPLY)), **changes})


def test_what_is_no_answer_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        roster.decode_answer(b"junk")


@pytest.mark.parametrize("text", ["", "  ", "3fa", "KEY", "203.0.113", "mozilla", "00ff00ff"])
def test_a_search_finds_parts_of_what_is_told_in_any_case(text: str) -> None:
    assert matches(text)


@pytest.mark.parametrize("text", ["3fb", "204.", "00ff", "ff00ff00", "AAP"])
def test_a_search_finds_nothing_else(text: str) -> None:
    assert not matches(text, symbols=("AAPL",))


def test_a_search_finds_symbols_accounts_and_names() -> None:
    assert matches("aapl", symbols=("AAPL",))
    assert matches("acme", accounts=[7])
    assert matches("web shop", names=["key 3Fa"])
    assert not matches("acme", accounts=[8], names=["key 3F"])


def test_the_worst_comes_first_and_of_equals_the_newest() -> None:
    late = row("late", late_us=2_000_000)
    dropped = row("dropped", dropped=3, late_us=900_000)
    waiting = row("waiting", waiting=150)
    newer = row("newer", since=NOW + timedelta(seconds=1), waiting=2)
    older = row("older", waiting=99)
    ordered = sorted([older, newer, waiting, dropped, late], key=lambda one: one.badness, reverse=True)
    assert [one.id for one in ordered] == ["late", "dropped", "waiting", "newer", "older"]


TEXT = st.text(max_size=20)
COUNT = st.integers(0, 2**40)
MOMENT = st.datetimes(timezones=st.just(UTC))
ROWS = st.builds(
    Row,
    id=TEXT,
    name=TEXT,
    account_id=st.none() | COUNT,
    address=TEXT,
    agent=TEXT,
    since=MOMENT,
    symbols=st.lists(st.tuples(TEXT, TEXT), max_size=3),
    symbol_count=COUNT,
    sent=COUNT,
    dropped=COUNT,
    waiting=COUNT,
    late_us=COUNT,
)


@given(row=ROWS, data=st.data())
@examples(100)
def test_an_answer_is_read_as_it_was_written_and_half_of_it_is_refused(row: Row, data: st.DataObject) -> None:
    process = Process("host", 1, "ws", NOW)
    fields: dict[str, Any] = dict.fromkeys(ProcessReport.__struct_fields__, 0)
    answer = ProcessReport(**fields | {"process": process, "rows": [row]})
    written = roster.encode_answer(answer)
    assert roster.decode_answer(written) == answer
    with pytest.raises(msgspec.DecodeError):
        roster.decode_answer(written[: data.draw(st.integers(0, len(written) - 1))])


@given(value=st.binary(max_size=60))
@examples(200)
def test_whatever_else_comes_is_read_or_refused(value: bytes) -> None:
    with contextlib.suppress(msgspec.DecodeError):
        roster.decode_answer(value)


@given(text=TEXT, ids=st.lists(TEXT, max_size=5), most=st.integers(-5, 2_000))
@examples(100)
def test_a_question_is_read_as_it_was_written_or_breaks_its_bounds(
    text: str, ids: list[str], most: int
) -> None:
    question = Report(REPLY, Wanted(text=text, ids=ids), most)
    message = roster.encode_question(question)
    if 0 <= most <= roster.MOST_ROWS:
        assert roster.decode_question(message) == question
    else:
        with pytest.raises(msgspec.ValidationError):
            roster.decode_question(message)
