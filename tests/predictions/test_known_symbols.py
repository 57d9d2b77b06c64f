"""The list of symbols: each once, in order, a page at a time, by one statement that reads no whole record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from predictions import known_symbols, record
from predictions.models import Prediction
from tests.predictions.test_history import document

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ["AAPL", "FB", "GOOG", "IBM", "MSFT"]


@pytest.fixture(autouse=True)
def _recorded() -> None:
    record.append(
        [
            document(10 * n + place, NOW + timedelta(seconds=n), symbol=name)
            for n in range(3)
            for place, name in enumerate(reversed(NAMES))
        ]
    )


@pytest.mark.parametrize(
    ("after", "limit", "found"),
    [
        ("", 100, NAMES),
        ("", 2, NAMES[:2]),
        ("FB", 2, NAMES[2:4]),
        ("FA", 100, NAMES[1:]),
        ("MSFT", 100, []),
        ("", 0, []),
    ],
)
def test_a_page_has_the_symbols_after_the_one_that_is_named(
    after: str, limit: int, found: list[str], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        assert known_symbols.after(after, limit=limit) == found


def test_an_empty_record_has_none() -> None:
    Prediction.objects.all().delete()
    assert known_symbols.after("", limit=10) == []
