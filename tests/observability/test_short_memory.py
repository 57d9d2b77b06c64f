"""What is short is remembered, in a bounded number; what is long leaves nothing behind."""

from __future__ import annotations

import pytest

from observability.short_memory import LONGEST, ShortMemory, remember_short


def counting(most: int, **bounds: int) -> tuple[ShortMemory[str, str], list[str]]:
    """A function that is remembered, and what it was really called with."""
    worked_out: list[str] = []

    @remember_short(most, **bounds)
    def upper(asked: str) -> str:
        worked_out.append(asked)
        return asked.upper()

    return upper, worked_out


@pytest.mark.parametrize("length", [0, 1, LONGEST])
def test_what_is_short_is_worked_out_once(length: int) -> None:
    upper, worked_out = counting(4)
    asked = "a" * length
    assert [upper(asked), upper(asked)] == [asked.upper()] * 2
    assert worked_out == [asked]


@pytest.mark.parametrize("length", [LONGEST + 1, 65_536])
def test_what_is_long_is_worked_out_each_time_and_not_kept(length: int) -> None:
    upper, worked_out = counting(4)
    asked = "a" * length
    assert [upper(asked), upper(asked)] == [asked.upper()] * 2
    assert worked_out == [asked] * 2
    assert upper.remembered.cache_info().currsize == 0


def test_how_long_is_short_may_be_said() -> None:
    upper, worked_out = counting(4, longest=3)
    for asked in ("abc", "abc", "abcd", "abcd"):
        upper(asked)
    assert worked_out == ["abc", "abcd", "abcd"]


def test_of_more_than_are_remembered_the_oldest_goes() -> None:
    upper, worked_out = counting(2)
    for asked in ("a", "b", "c", "a"):
        upper(asked)
    assert worked_out == ["a", "b", "c", "a"]
    assert upper.remembered.cache_info().currsize == 2


def test_an_error_is_raised_each_time_and_not_kept() -> None:
    @remember_short(4)
    def fail(asked: bytes) -> bytes:
        raise ValueError(asked)

    for _ in range(2):
        with pytest.raises(ValueError, match="x"):
            fail(b"x")
    assert fail.remembered.cache_info().currsize == 0
