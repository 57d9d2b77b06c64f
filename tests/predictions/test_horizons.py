"""A label is a length of time or it is none; nothing is guessed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictions.horizons import LONGEST, read_length
from tests.examples import examples


@pytest.mark.parametrize(
    ("label", "length"),
    [
        ("1d", timedelta(days=1)),
        ("1D", timedelta(days=1)),
        ("4h", timedelta(hours=4)),
        ("4H", timedelta(hours=4)),
        ("30m", timedelta(minutes=30)),
        ("30min", timedelta(minutes=30)),
        ("30 minutes", timedelta(minutes=30)),
        ("90s", timedelta(seconds=90)),
        ("1.5h", timedelta(minutes=90)),
        ("0.000001s", timedelta(microseconds=1)),
        ("1w", timedelta(weeks=1)),
        ("2 Weeks", timedelta(weeks=2)),
        ("001d", timedelta(days=1)),
        ("3660d", LONGEST),
        ("P1D", timedelta(days=1)),
        ("PT4H", timedelta(hours=4)),
        ("PT30M", timedelta(minutes=30)),
        ("P2W", timedelta(weeks=2)),
        ("P1DT12H30M1.5S", timedelta(days=1, hours=12, minutes=30, seconds=1.5)),
        ("PT0.5S", timedelta(seconds=0.5)),
    ],
)
def test_these_are_lengths(label: str, length: timedelta) -> None:
    assert read_length(label) == length


@pytest.mark.parametrize(
    "label",
    [
        "",
        "d",
        "1",
        "1x",
        "1 d d",
        "1  d",
        " 1d",
        "1d\n",
        "-1d",
        "+1d",
        "0d",
        "0.0000001s",
        "1e3d",
        "1,5h",
        "\u0661d",  # another alphabet's digit
        "30M",  # a month to many
        "1mo",
        "1y",
        "3661d",
        "999999999w",
        "1234567890s",
        "P",
        "PT",
        "P1DT",
        "P0D",
        "P1M",
        "P1Y",
        "P1H",
        "PT1D",
        "P1D1W",
        "p1d",
        "next close",
        "1 trading day",
    ],
)
def test_these_are_none(label: str) -> None:
    assert read_length(label) is None


def test_a_label_of_any_length_is_looked_at_in_no_time() -> None:
    assert read_length("1" * 100_000 + "d") is None
    assert read_length("P" + "1" * 100_000) is None


@given(label=st.text(max_size=30) | st.from_regex(r"P?T?[0-9.]{0,9} ?[a-zA-Z]{0,5}", fullmatch=True))
@examples(500)
def test_a_length_is_bounded_whatever_the_label(label: str) -> None:
    length = read_length(label)
    assert length is None or timedelta(0) < length <= LONGEST


@given(seconds=st.integers(1, int(LONGEST.total_seconds())))
@examples(100)
def test_the_same_length_in_either_form(seconds: int) -> None:
    assert read_length(f"{seconds}s") == read_length(f"PT{seconds}S") == timedelta(seconds=seconds)
