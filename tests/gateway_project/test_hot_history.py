"""A page of the history before Django: in a thread, from the record, with nothing of Django behind it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.db import DataError, OperationalError

from accounts.callers import ANONYMOUS
from gateway_project import hot_reads
from gateway_project.admission import Refused
from gateway_project.hot_answers import Ready
from gateway_project.hot_conditions import Conditions
from predictions import history, record
from tests.realtime.peers import document

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

START = datetime(2026, 3, 1, tzinfo=UTC)
TARGET = b"/api/prediction/AAPL/history?limit=2"


@pytest.fixture
def stored() -> None:
    """Three predictions of AAPL."""
    made = [document(seq, "AAPL") for seq in (1, 2, 3)]
    record.append(
        [msgspec.structs.replace(one, timestamp=START + timedelta(seconds=one.seq or 0)) for one in made]
    )


async def ask(target: bytes = TARGET, known: str = "", method: str = "GET") -> Ready | None:
    """What is answered before Django."""
    headers = [(b"host", b"127.0.0.1"), *([(b"if-none-match", known.encode())] if known else [])]
    return await hot_reads.answer(method, target, Conditions(headers, "127.0.0.1"), ANONYMOUS)


async def test_a_page_and_the_one_after_it_are_answered_before_django(stored: None) -> None:
    first = await ask()
    assert first is not None
    page = msgspec.json.decode(first.body)
    assert (first.status, [one["seq"] for one in page["data"]], page["has_more"]) == (200, [3, 2], True)
    second = await ask(TARGET + b"&cursor=" + page["next"].encode())
    assert second is not None
    page = msgspec.json.decode(second.body)
    assert ([one["seq"] for one in page["data"]], page["has_more"], page["next"]) == ([1], False, None)


async def test_who_has_it_gets_a_304(stored: None) -> None:
    ready = await ask()
    assert ready is not None
    tag = dict(ready.headers)[b"etag"].decode()
    again = await ask(known=tag)
    assert again is not None
    assert (again.status, again.body, dict(again.headers)[b"etag"]) == (304, b"", tag.encode())


async def test_a_symbol_without_a_prediction_is_left_to_django(stored: None) -> None:
    assert await ask(b"/api/prediction/ZZZZZ/history") is None


async def test_a_database_that_is_away_is_told_with_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(history, "read", fail)
    with pytest.raises(Refused) as refused:
        await ask()
    assert (refused.value.code, refused.value.headers) == ("STORE_UNAVAILABLE", [("Retry-After", "2")])


@pytest.mark.parametrize("error", [DataError("no such number"), ZeroDivisionError()])
async def test_whatever_else_fails_is_left_to_django(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(history, "read", fail)
    assert await ask() is None
