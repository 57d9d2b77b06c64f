"""When the Python client tries again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from prediction_gateway import retrying
from prediction_gateway.closing import Backoff

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def longest(_: float, high: float) -> float:
    return high


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("soon", None),
        ("-1", None),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 00:00:30 -0000", 30.0),
        ("Thu, 01 Jan 2020 00:00:00 GMT", 0.0),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Thu, 01 Jan 2026 00:00:30 +99999999999999", None),
        ("9" * 400, None),
        ("²", None),
    ],
)
def test_retry_after_is_read_as_number_and_as_date(value: str | None, seconds: float | None) -> None:
    assert retrying.parse_retry_after(value, now=NOW) == seconds


@pytest.mark.parametrize(
    ("told", "waited"), [(None, None), (3.5, 3.5), (-5.0, 0.0), (float("nan"), None), (float("inf"), None)]
)
def test_a_length_that_cannot_be_waited_is_bounded(told: float | None, waited: float | None) -> None:
    assert retrying.bounded_s(told) == waited


def test_backoff_doubles_up_to_its_longest_with_full_jitter() -> None:
    assert [retrying.backoff_s(n, uniform=longest) for n in range(1, 8)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert retrying.backoff_s(5, uniform=lambda low, _: low) == 0


def wait_s(attempt: int = 1, retry_after: float | None = None) -> float | None:
    return retrying.wait_s(attempt, retries=3, max_wait_s=60, uniform=longest, retry_after=retry_after)


def test_a_retry_after_is_waited_in_full_and_a_little_more() -> None:
    assert wait_s(retry_after=5) == 5.5
    assert wait_s(retry_after=60) == 61


def test_nothing_is_waited_beyond_the_longest_wait_or_after_the_last_retry() -> None:
    assert wait_s(retry_after=61) is None
    assert wait_s(3) == 2
    assert wait_s(4) is None


def test_a_stream_comes_back_with_backoff_until_a_good_update() -> None:
    backoff = Backoff(longest)
    assert [backoff.pause_s(1012) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    backoff.reset()
    assert backoff.pause_s(None) == 1


def test_a_stream_that_was_too_fast_comes_back_after_a_minute() -> None:
    assert Backoff(lambda low, _: low).pause_s(4429) == 60


def test_a_stream_that_was_idle_comes_back_at_once_but_not_again_and_again() -> None:
    backoff = Backoff(longest)
    assert [backoff.pause_s(4408) for _ in range(3)] == [0, 1, 2]
    backoff.reset()
    assert backoff.pause_s(4408) == 0
