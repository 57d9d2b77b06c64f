"""What the Python client asks, and what it makes of settings, pages and jobs."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from prediction_gateway import calls, explaining
from prediction_gateway.answers import Answer
from prediction_gateway.errors import JobTimeoutError
from prediction_gateway.models import Job, Page, move_pct
from prediction_gateway.paging import Pages
from prediction_gateway.settings import DEFAULT_URL, Settings, make_settings

PATIENCE: dict[str, Any] = {"timeout_s": 1, "retries": 0, "max_wait_s": 0, "cache_size": 0}


def test_queries_have_what_was_given_alone() -> None:
    assert calls.prediction("AAPL", include_features=False, as_of=None).target == "/api/prediction/AAPL"
    moment = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    asked = calls.prediction("A/B", include_features=True, as_of=moment)
    assert (
        asked.target == "/api/prediction/A%2FB?include_features=true&as_of=2026-01-01T12%3A00%3A00%2B02%3A00"
    )
    assert asked.path == "/api/prediction/A%2FB"
    listed = calls.predictions(["A", "B"], include_features=False, as_of=date(2026, 1, 1))
    assert listed.target == "/api/predictions?symbols=A&symbols=B&as_of=2026-01-01"
    assert calls.accuracy("A", window="all").target == "/api/prediction/A/accuracy?window=all"
    assert calls.explanation("A", "deep").target == "/api/explanation/A?depth=deep"
    assert calls.profile(3).target == "/auth/profile?days=3"
    assert calls.cancel("x").decode(Answer(204, {}, b"")) is None
    pages = calls.history_pages(
        "A", start=date(2026, 1, 1), end="2026-01-02", include_features=True, include_outcome=True
    )
    assert pages(10, "c.1").target == (
        "/api/prediction/A/history?from=2026-01-01&to=2026-01-02&include_features=true&include_outcome=true"
        "&limit=10&cursor=c.1"
    )
    assert (pages(10, None).keeps, pages(10, "c.1").keeps) == (True, False)


def test_what_cannot_be_meant_is_refused_before_anything_is_sent() -> None:
    for symbol in ("", ".", ".."):
        with pytest.raises(ValueError, match="no symbol"):
            calls.job(symbol)
    with pytest.raises(TypeError):
        calls.predictions("AAPL", include_features=False, as_of=None)
    with pytest.raises(ValueError, match="time zone"):
        calls.prediction("A", include_features=False, as_of=datetime(2026, 1, 1))  # noqa: DTZ001 - the point
    with pytest.raises(ValueError, match="ASCII"):
        calls.order("A", "fast", idempotency_key="a\nb", wait_s=0)
    with pytest.raises(ValueError, match="wait_s"):
        calls.order("A", "fast", idempotency_key=None, wait_s=31)


def test_a_job_is_read_from_each_of_its_answers() -> None:
    read = calls.job("x").decode
    accepted = {
        "job_id": "1",
        "status": "queued",
        "depth": "deep",
        "estimated_seconds": 5.0,
        "status_url": "/",
    }
    assert read(Answer(202, {"retry-after": "2"}, json.dumps(accepted).encode())) == Job(
        job_id="1", status="queued", depth="deep", estimated_seconds=5.0, retry_after=2.0
    )
    done = read(Answer(202, {}, json.dumps({**accepted, "status": "done"}).encode()))
    assert (done.progress, done.explanation) == (1.0, None)


def test_pages_are_turned_until_enough_or_the_end() -> None:
    def turn(limit: int | None, sizes: list[int]) -> list[int]:
        pages = Pages[str](calls.symbol_page, limit=limit, page_size=3)
        taken: list[int] = []
        while (call := pages.next_call()) is not None:
            sizes.append(int(call.target.partition("limit=")[2].partition("&")[0]))
            left = 8 - sum(taken)
            got = ["S"] * min(sizes[-1], left)
            more = left > len(got)
            taken.append(len(pages.take(Page(data=got, has_more=more, next="S" if more else None))))
        return taken

    sizes: list[int] = []
    assert turn(None, sizes) == [3, 3, 2]
    assert turn(4, sizes := []) == [3, 1]
    assert sizes == [3, 1]
    assert turn(0, []) == []
    for wrong in ({"limit": -1, "page_size": 3}, {"limit": None, "page_size": 0}):
        with pytest.raises(ValueError, match="must"):
            Pages[str](calls.symbol_page, **wrong)


def test_waiting_for_a_job_ends() -> None:
    job = Job(job_id="1", status="running", depth="fast")
    assert explaining.order_wait_s(300) == 2
    assert explaining.order_wait_s(0.5) == 0
    assert explaining.pause_s(job, wait_s=10, waited_s=1) == 1
    assert explaining.pause_s(job, wait_s=10, waited_s=9.5) == 0.5
    asked = Job(job_id="1", status="queued", depth="fast", retry_after=0)
    assert explaining.pause_s(asked, wait_s=10, waited_s=1) == 0.1
    ended = Job(job_id="1", status="failed", depth="fast")
    assert explaining.pause_s(ended, wait_s=10, waited_s=99) == 0
    with pytest.raises(JobTimeoutError, match="job 1 goes on") as raised:
        explaining.pause_s(job, wait_s=10, waited_s=10)
    assert raised.value.job_id == "1"


def test_settings_come_from_arguments_then_from_the_environment() -> None:
    environ = {"PGW_URL": "https://a.example/", "PGW_API_KEY": "k1"}
    assert make_settings(None, None, **PATIENCE, environ={}).url == DEFAULT_URL
    told = make_settings(None, None, **PATIENCE, environ=environ)
    assert (told.url, told.api_key, told.socket_url) == (
        "https://a.example",
        "k1",
        "wss://a.example/ws/predictions",
    )
    given = make_settings("http://b.example/gate", "k2", **PATIENCE, environ=environ)
    assert (given.url, given.api_key) == ("http://b.example/gate", "k2")
    assert given.socket_headers == {"Authorization": "Bearer k2"}
    nobody = make_settings("http://b.example", "", **PATIENCE, environ=environ)
    assert (nobody.api_key, nobody.socket_headers) == (None, {})


@pytest.mark.parametrize(
    "url",
    ["gateway", "ftp://a", "http://", "http://u:secret@a", "http://a?key=secret", "http://a#x", "http://a:x"],
)
def test_a_bad_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="URL of the gateway") as raised:
        Settings(url, None)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("key", ["a b", "secret\n", "secré"])
def test_a_key_with_what_no_key_has_is_refused_without_being_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as raised:
        Settings("http://a", key)
    assert key not in str(raised.value)


def test_impatience_is_refused() -> None:
    with pytest.raises(ValueError, match="timeout_s"):
        Settings("http://a", None, timeout_s=0)
    with pytest.raises(ValueError, match="negative"):
        Settings("http://a", None, retries=-1)


def test_a_move_from_nothing_is_no_number() -> None:
    assert str(move_pct(1, 0)) == "nan"
