"""What was known at a moment, and what came of it: ``as_of`` and ``include_outcome`` over a real server."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.rest import assert_problem
from tests.stack import Stack, eventually, numbered


def _publish(stack: Stack, symbol: str, count: int) -> list[dict[str, Any]]:
    published = numbered(symbol, count)
    stack.publish(*published)
    eventually(lambda: stack.count_rows(symbol) == count)
    return published


def _at(stack: Stack, symbol: str, moment: str, **headers: str) -> Any:
    return stack.get(f"/api/prediction/{symbol}?as_of={quote(moment, safe=':')}", **headers)


def test_200_with_the_newest_of_the_moment_whatever_is_newer(stack: Stack, symbol: str) -> None:
    published = _publish(stack, symbol, 5)
    for number, one in enumerate(published):
        moment = datetime.fromisoformat(one["timestamp"])
        for asked in (moment, moment + timedelta(milliseconds=999)):
            answer = _at(stack, symbol, asked.isoformat()).json()
            assert answer["predicted_price"] == one["predicted_price"] == 1.0 + number
            assert answer["age_seconds"] == pytest.approx((asked - moment).total_seconds())
            assert answer["stale"] is False
    in_another_zone = moment.astimezone(datetime.fromisoformat("2026-01-01T00:00:00+05:30").tzinfo)
    assert _at(stack, symbol, in_another_zone.isoformat()).json()["predicted_price"] == 5.0


def test_200_for_a_moment_to_come_is_what_is_known_now(stack: Stack, symbol: str) -> None:
    _publish(stack, symbol, 2)
    answer = _at(stack, symbol, "9999-12-31T23:59:59Z").json()
    assert answer["predicted_price"] == 2.0
    assert answer["age_seconds"] < 60


def test_404_before_the_first_and_for_an_unknown_symbol(stack: Stack, symbol: str) -> None:
    _publish(stack, symbol, 1)
    body = assert_problem(_at(stack, symbol, "2001-01-01"), 404, "UNKNOWN_SYMBOL")
    assert (
        body["detail"] == f"There is no prediction for {symbol} that was made by 2001-01-01T00:00:00+00:00."
    )
    assert_problem(_at(stack, "ZZZZZ", "2001-01-01"), 404, "UNKNOWN_SYMBOL")


@pytest.mark.parametrize("moment", ["", "now", "2013-03-01T00:00:00", "2013-13-01", "1d", "0", "\0"])
@pytest.mark.parametrize("path", ["/api/prediction/AAPL?", "/api/predictions?symbols=AAPL&"])
def test_400_for_a_malformed_moment(stack: Stack, path: str, moment: str) -> None:
    body = assert_problem(stack.get(f"{path}as_of={quote(moment)}"), 400, "INVALID_QUERY")
    assert "RFC 3339" in body["errors"][0]["detail"]


def test_304_for_the_same_moment_and_never_for_another(stack: Stack, symbol: str) -> None:
    early, late = (one["timestamp"] for one in _publish(stack, symbol, 2))
    first = _at(stack, symbol, early)
    tag = first.headers["etag"]
    assert _at(stack, symbol, early, **{"If-None-Match": tag}).status_code == 304
    assert _at(stack, symbol, late, **{"If-None-Match": tag}).status_code == 200
    assert stack.get(f"/api/prediction/{symbol}", **{"If-None-Match": tag}).status_code == 200


def test_a_batch_is_of_one_moment(stack: Stack, symbol: str) -> None:
    published = _publish(stack, symbol, 3)
    moment = quote(published[1]["timestamp"], safe=":")
    answer = stack.get(f"/api/predictions?symbols={symbol},ZZZZZ&as_of={moment}").json()
    assert answer["predictions"][symbol]["predicted_price"] == 2.0
    assert answer["missing"] == ["ZZZZZ"]


def test_history_has_outcomes_if_they_are_asked_for(stack: Stack, symbol: str) -> None:
    published = [
        {**one, "horizon": "1s", "current_price": 50 + n} for n, one in enumerate(numbered(symbol, 4))
    ]
    stack.publish(*published)
    path = f"/api/prediction/{symbol}/history?include_outcome=true"

    def read() -> Any:
        rows = stack.get(path).json().get("data", [])
        return rows if len([row for row in rows if row["outcome"]]) == 3 else None

    rows = eventually(read)
    assert [row["outcome"] for row in rows] == [
        None,
        *(
            {"actual_price": 51.0 + n, "as_of": rows[2 - n]["as_of"], "error": 1.0 + n - (51.0 + n)}
            for n in (2, 1, 0)
        ),
    ]
    plain = stack.get(f"/api/prediction/{symbol}/history")
    assert all("outcome" not in row for row in plain.json()["data"])
    tag = stack.get(path).headers["etag"]
    assert tag != plain.headers["etag"]
    assert stack.get(path, **{"If-None-Match": tag}).status_code == 304
    features = stack.get(path + "&include_features=true").json()["data"]
    assert all({"outcome", "features"} <= row.keys() for row in features)
    assert_problem(stack.get(path.replace("true", "yes")), 400, "INVALID_QUERY")


def test_the_tag_of_a_page_changes_when_an_outcome_becomes_known(stack: Stack, symbol: str) -> None:
    first, second = ({**one, "horizon": "1s"} for one in numbered(symbol, 2))
    path = f"/api/prediction/{symbol}/history?include_outcome=true&to={quote(first['timestamp'], safe=':')}"
    stack.publish(first)
    eventually(lambda: stack.count_rows(symbol) == 1)
    before = stack.get(path)
    assert before.json()["data"][0]["outcome"] is None
    stack.publish(second)
    after = eventually(
        lambda: (
            answer
            if (answer := stack.get(path, **{"If-None-Match": before.headers["etag"]})).status_code == 200
            else None
        )
    )
    assert after.json()["data"][0]["outcome"]["actual_price"] == second["current_price"]
