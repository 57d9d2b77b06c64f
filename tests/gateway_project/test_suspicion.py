"""What looks like an attack: which paths are refused, what is noted, and how often."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from gateway_project import suspicion
from gateway_project.admission import Refused


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody was told of in the last minute."""
    monkeypatch.setattr(suspicion, "_told", {})


def scope(path: str, query: bytes = b"") -> dict[str, Any]:
    """A request."""
    return {"method": "GET", "path": path, "query_string": query}


@pytest.mark.parametrize(
    "path", ["/../x", "/a/..", "/static/..\\x", "/~root", "/a\\x2e", "/%2e%2e/x", "/%7Eroot"]
)
def test_a_path_that_climbs_is_refused_and_told_with_the_address(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Refused) as refused:
        suspicion.look_at_target(scope(path), "203.0.113.9")
    assert refused.value.code == "FORBIDDEN"
    assert "203.0.113.9" in caplog.text


@pytest.mark.parametrize(
    "path", ["/", "/api/prediction/BRK.B", "/static/unfold/js/app.min.js", "/a/100%", "/a.b.c"]
)
def test_other_paths_are_let_through(path: str, caplog: pytest.LogCaptureFixture) -> None:
    suspicion.look_at_target(scope(path, b"next=/../x&q=~"), "203.0.113.9")
    assert not caplog.records


@pytest.mark.parametrize(
    "query",
    [
        b"symbols=A%27+UNION+SELECT+password+FROM+users--",
        b"q=1;%20drop%20table%20x",
        b"q=insert/**/into+x",
        b"q=DELETE%0AFROM+x",
        b"q=select+*+from+x",
    ],
)
def test_a_query_that_reads_like_sql_is_told_and_let_through(
    query: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    suspicion.look_at_target(scope("/api/predictions", query), "203.0.113.9")
    assert "reads like SQL: GET '/api/predictions', from 203.0.113.9" in caplog.text


@pytest.mark.parametrize(
    "text",
    [b"", b"SELECT", b"please select one", b"union of drop and insert", b"dropped table", b"x" * 100_000],
)
def test_words_alone_are_no_statement(text: bytes) -> None:
    assert not suspicion.reads_like_sql(text)


async def test_a_body_that_reads_like_sql_is_told_and_given_on(caplog: pytest.LogCaptureFixture) -> None:
    message = {"type": "http.request", "body": b'{"depth": "x\' union select 1 from y"}'}

    async def receive() -> dict[str, Any]:
        return message

    assert await suspicion.watch_body(scope("/auth/login"), receive, "203.0.113.9")() is message
    assert "a body that reads like SQL: GET '/auth/login', from 203.0.113.9" in caplog.text


def test_an_address_is_told_of_once_a_minute_and_its_text_makes_no_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    with caplog.at_level(logging.WARNING):
        for address in ("203.0.113.9", "203.0.113.9", "203.0.113.10"):
            with pytest.raises(Refused):
                suspicion.look_at_target(scope("/..\nforged"), address)
        assert len(caplog.records) == 2
        now_s += 60
        with pytest.raises(Refused):
            suspicion.look_at_target(scope("/.."), "203.0.113.9")
    assert len(caplog.records) == 3
    assert "\nforged" not in caplog.records[0].getMessage()


def test_those_who_were_told_of_are_forgotten_before_they_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(suspicion, "_told", {("x", str(n)): 0.0 for n in range(10_000)})
    with pytest.raises(Refused):
        suspicion.look_at_target(scope("/.."), "203.0.113.9")
    assert len(suspicion._told) == 1
