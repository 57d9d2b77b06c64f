"""The query of a prediction route: what it may be, what it means, and what is said when it is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict

from predictions import cursors
from predictions.serializers import (
    AccuracyQuery,
    CursorField,
    FeaturesQuery,
    HistoryQuery,
    MomentField,
    WindowField,
)

MIDNIGHT = datetime(2013, 3, 1, tzinfo=UTC)
NO_TIME = "Not a time: use RFC 3339 as in 2013-03-01T00:00:00Z, or a date as in 2013-03-01."


def read(query: str) -> dict[str, Any]:
    """What a valid history query means."""
    serializer = HistoryQuery(data=QueryDict(query))
    assert serializer.is_valid(), serializer.errors
    return dict(serializer.validated_data)


def refusals(query: str) -> dict[str, list[tuple[str, str]]]:
    """Code and text of what is wrong with a history query, by parameter."""
    serializer = HistoryQuery(data=QueryDict(query))
    assert not serializer.is_valid()
    return {name: [(e.code, str(e)) for e in errors] for name, errors in serializer.errors.items()}


def test_without_parameters_a_page_has_100_predictions_without_features() -> None:
    assert read("") == {"limit": 100, "include_features": False, "include_outcome": False}


def test_parameters_that_are_not_ours_are_ignored() -> None:
    assert read("colour=red&symbols=AAPL") == read("")


@pytest.mark.parametrize("limit", [1, 2, 100, 999, 1000])
def test_a_limit_from_1_to_1000_is_accepted(limit: int) -> None:
    assert read(f"limit={limit}")["limit"] == limit


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("0", "min_value"),
        ("-1", "min_value"),
        ("1001", "max_value"),
        ("9" * 30, "max_value"),
        ("x", "invalid"),
        ("1.5", "invalid"),
        ("1e2", "invalid"),
        ("0x10", "invalid"),
        ("%00", "invalid"),
        ("true", "invalid"),
        ("9" * 2000, "max_string_length"),
    ],
)
def test_any_other_limit_is_refused(limit: str, code: str) -> None:
    assert [found for found, _ in refusals(f"limit={limit}")["limit"]] == [code]


def test_a_limit_that_is_too_large_or_too_small_is_told_the_bound() -> None:
    assert "greater than or equal to 1." in refusals("limit=0")["limit"][0][1]
    assert "less than or equal to 1000." in refusals("limit=1001")["limit"][0][1]


@pytest.mark.parametrize(("text", "meant"), [("true", True), ("false", False)])
def test_include_features_is_true_or_false(text: str, meant: bool) -> None:
    assert read(f"include_features={text}")["include_features"] is meant
    alone = FeaturesQuery(data=QueryDict(f"include_features={text}"))
    assert alone.is_valid()
    assert alone.validated_data == {"include_features": meant}


NO_FLAGS = ["True", "TRUE", "1", "0", "yes", "no", "t", "null", "%20true", "true%0A", "%00"]


@pytest.mark.parametrize("text", NO_FLAGS)
def test_any_other_include_features_is_refused(text: str) -> None:
    told = [("invalid_choice", "Must be one of: true, false.")]
    assert refusals(f"include_features={text}")["include_features"] == told
    assert not FeaturesQuery(data=QueryDict(f"include_features={text}")).is_valid()


def test_without_include_features_there_are_none() -> None:
    serializer = FeaturesQuery(data=QueryDict(""))
    assert serializer.is_valid()
    assert serializer.validated_data == {"include_features": False}


@pytest.mark.parametrize("end", ["from", "to"])
@pytest.mark.parametrize(
    "text",
    [
        "2013-03-01",
        "2013-03-01T00:00:00Z",
        "2013-03-01T00:00:00.000Z",
        "2013-02-28T19:00:00-05:00",
        "2013-03-01T05:30:00%2B05:30",
        "2013-03-01T05:30:00+05:30",
    ],
)
def test_an_end_of_the_range_is_a_moment_or_a_date_and_read_as_utc(end: str, text: str) -> None:
    moment = read(f"{end}={text}")[end]
    assert moment == MIDNIGHT
    assert moment.tzinfo is UTC


def test_a_plus_sign_that_the_query_string_turned_into_a_space_is_meant_as_a_plus_sign() -> None:
    assert QueryDict("from=2013-03-01T05:30:00+05:30")["from"] == "2013-03-01T05:30:00 05:30"
    assert MomentField().to_internal_value("2013-03-01T05:30:00 05:30") == MIDNIGHT


@pytest.mark.parametrize("end", ["from", "to"])
@pytest.mark.parametrize(
    "text",
    [
        "x",
        "2013",
        "2013-03",
        "2013-02-30",
        "2013-03-01T00:00:00",
        "1362096000",
        "now",
        "%00",
        "2013-03-01%00",
        "2013-03-01+",
        "+2013-03-01",
        "0001-01-01T00:00:00%2B05:00",
        "9999-12-31T23:59:59-05:00",
    ],
)
def test_an_end_that_is_no_time_is_refused_with_two_examples(end: str, text: str) -> None:
    assert refusals(f"{end}={text}") == {end: [("invalid", NO_TIME)]}


@pytest.mark.parametrize("text", ["2013-03-01", "2013-03-01T00:00:00Z"])
def test_the_examples_of_the_refusal_are_times(text: str) -> None:
    assert text in NO_TIME
    assert read(f"from={text}")["from"] == MIDNIGHT


def test_a_range_may_be_open_or_a_single_moment() -> None:
    assert read("from=2013-03-01").keys() == {"limit", "include_features", "include_outcome", "from"}
    assert read("to=2013-03-01").keys() == {"limit", "include_features", "include_outcome", "to"}
    both = read("from=2013-03-01&to=2013-03-01T00:00:00Z")
    assert both["from"] == both["to"] == MIDNIGHT


@pytest.mark.parametrize(
    "query",
    [
        "from=2013-03-02&to=2013-03-01",
        "from=2013-03-01T00:00:00.000001Z&to=2013-03-01",
        "to=2013-03-01T00:00:00%2B01:00&from=2013-02-28T23:30:00Z",
    ],
)
def test_a_range_that_is_turned_around_is_refused(query: str) -> None:
    assert refusals(query) == {"from": [("invalid", "Must not be later than `to`.")]}


def test_ends_are_compared_as_moments_and_not_as_texts() -> None:
    assert read("from=2013-03-01T05:30:00%2B05:30&to=2013-02-28T19:00:00-05:00")["from"] == MIDNIGHT


def test_a_cursor_is_read_back() -> None:
    cursor = cursors.encode(MIDNIGHT, 7)
    assert read(f"cursor={cursor}")["cursor"] == (MIDNIGHT, 7)


@pytest.mark.parametrize("cursor", ["x", "1", "1.x", "ffffffffffffffff.1", "0.8000000000000000", "%00"])
def test_a_bad_cursor_is_refused(cursor: str) -> None:
    ((code, text),) = refusals(f"cursor={cursor}")["cursor"]
    assert code == "invalid"
    assert text.startswith("not a cursor of this gateway: ")
    assert text.endswith(".")


def test_everything_that_is_wrong_is_told_at_once() -> None:
    assert refusals("limit=0&from=x&to=y&cursor=z&include_features=2").keys() == {
        "limit",
        "from",
        "to",
        "cursor",
        "include_features",
    }


def test_fields_write_what_they_read() -> None:
    moment, cursor = MomentField(), CursorField()
    assert moment.to_internal_value(moment.to_representation(MIDNIGHT)) == MIDNIGHT
    assert cursor.to_internal_value(cursor.to_representation((MIDNIGHT, 7))) == (MIDNIGHT, 7)


@pytest.mark.parametrize(
    ("query", "window"),
    [
        ("", timedelta(days=90)),
        ("window=30d", timedelta(days=30)),
        ("window=P4W", timedelta(weeks=4)),
        ("window=36h", timedelta(hours=36)),
        ("window=1d", timedelta(days=1)),
        ("window=3660d", timedelta(days=3660)),
        ("window=all", None),
    ],
)
def test_a_window_is_a_length_of_time_or_all(query: str, window: timedelta | None) -> None:
    serializer = AccuracyQuery(data=QueryDict(query))
    assert serializer.is_valid(), serializer.errors
    assert serializer.validated_data == {"window": window}


@pytest.mark.parametrize("text", ["23h", "3661d", "90", "1M", "All", "x"])
def test_any_other_window_is_refused_with_what_would_be_right(text: str) -> None:
    serializer = AccuracyQuery(data=QueryDict(f"window={text}"))
    assert not serializer.is_valid()
    assert [str(error) for error in serializer.errors["window"]] == [
        "Not a window: use a length of time from 1d to 3660d, as in 30d, 12w or P90D, or all."
    ]


def test_a_window_is_told_as_it_may_be_asked_for() -> None:
    field = WindowField()
    for text in ("all", "7776000.000000s"):
        assert field.to_representation(field.to_internal_value(text)) == text
