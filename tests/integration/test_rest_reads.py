"""The REST contract over a real server: reads, their validators, batches and history."""

from __future__ import annotations

import gzip
import json

import httpx
import pytest
import redis

from tests.integration.rest import assert_problem, raw_get
from tests.stack import Stack, event, eventually, numbered


def test_304_for_the_etag_of_the_version_that_is_newest(stack: Stack, known: str) -> None:
    path = f"/api/prediction/{known}"
    first = stack.get(path)
    tag = first.headers["etag"]
    assert tag.startswith(f'W/"{known}-')
    assert first.headers["cache-control"] == "private, max-age=60"
    assert first.headers["vary"] == "Accept-Encoding, Authorization, Origin, X-API-Key"

    for offered in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        same = stack.get(path, **{"If-None-Match": offered})
        assert (same.status_code, same.content) == (304, b"")
        for name in ("etag", "cache-control", "vary"):
            assert same.headers[name] == first.headers[name]
    assert stack.get(path, **{"If-None-Match": '"other"'}).status_code == 200

    with_features = stack.get(path + "?include_features=true")
    assert with_features.headers["etag"] != tag
    assert stack.get(path + "?include_features=true", **{"If-None-Match": tag}).status_code == 200

    stack.publish(event(known))
    eventually(lambda: stack.get(path, **{"If-None-Match": tag}).status_code == 200)


def test_304_for_a_batch_until_one_of_its_symbols_changes(stack: Stack, known: str) -> None:
    path = f"/api/predictions?symbols={known},ZZZZZ"
    tag = stack.get(path).headers["etag"]
    assert stack.get(path, **{"If-None-Match": tag}).status_code == 304
    assert stack.get(path + ",YYYYY", **{"If-None-Match": tag}).status_code == 200
    stack.publish(event(known))
    eventually(lambda: stack.get(path, **{"If-None-Match": tag}).status_code == 200)


def test_head_has_the_headers_and_no_body(stack: Stack, known: str) -> None:
    url = f"{stack.base_url}/api/prediction/{known}"
    response = httpx.head(url, headers={"X-API-Key": stack.key})
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["etag"] == stack.get(f"/api/prediction/{known}").headers["etag"]


def test_200_for_1_and_100_symbols_with_the_missing_ones_named(stack: Stack, known: str) -> None:
    one = stack.get(f"/api/predictions?symbols={known}").json()
    assert list(one["predictions"]) == [known]
    assert one["missing"] == []
    others = [f"ZZ{a}{b}" for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJ"][:99]
    answer = stack.get(f"/api/predictions?symbols={','.join([known, *others, known])}")
    assert answer.status_code == 200
    assert list(answer.json()["predictions"]) == [known]
    assert answer.json()["missing"] == others


def test_400_for_101_symbols_none_or_a_malformed_one(stack: Stack) -> None:
    hundred_and_one = [f"Z{a}{b}" for a in "ABCDEFGHIJK" for b in "ABCDEFGHIJ"][:101]
    for query, code in (
        ("", "INVALID_SYMBOLS"),
        ("?symbols=", "INVALID_SYMBOLS"),
        (f"?symbols={','.join(hundred_and_one)}", "INVALID_SYMBOLS"),
        ("?symbols=AAPL,msft", "INVALID_SYMBOL"),
        ("?symbols=AAPL,,MSFT", "INVALID_SYMBOL"),
        ("?symbols=AAPL%00", "INVALID_SYMBOL"),
    ):
        assert_problem(stack.get("/api/predictions" + query), 400, code)


def test_history_is_newest_first_pages_without_hole_or_repetition_and_ends(stack: Stack, symbol: str) -> None:
    stack.publish(*numbered(symbol, 25))
    eventually(lambda: stack.count_rows(symbol) == 25)
    seen: list[float] = []
    path = f"/api/prediction/{symbol}/history?limit=10"
    sizes = []
    after: str | None = None
    while True:
        page = stack.get(path + (f"&cursor={after}" if after else "")).json()
        sizes.append(len(page["data"]))
        seen += [row["predicted_price"] for row in page["data"]]
        assert page["has_more"] == (page["next"] is not None)
        after = page["next"]
        if after is None:
            break
        stack.publish(event(symbol, predicted_price=1_000.0))  # must not shift the pages
    assert sizes == [10, 10, 5]
    assert seen == [float(n) for n in range(25, 0, -1)]


def test_history_within_a_range(stack: Stack, symbol: str) -> None:
    stack.publish(
        *(
            event(symbol, timestamp=f"2026-02-0{day}T12:00:00Z", predicted_price=float(day))
            for day in range(1, 6)
        )
    )
    eventually(lambda: stack.count_rows(symbol) == 5)
    path = f"/api/prediction/{symbol}/history"
    for query, expected in (
        ("?from=2026-02-02&to=2026-02-04", [3.0, 2.0]),
        ("?from=2026-02-04T12:00:00Z", [5.0, 4.0]),
        ("?to=2026-02-01T13:00:00%2B01:00", [1.0]),
        ("?from=2030-01-01", []),
    ):
        page = stack.get(path + query).json()
        assert [row["predicted_price"] for row in page["data"]] == expected
        assert page["next"] is None


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("limit=many", "/limit"),
        ("from=yesterday", "/from"),
        ("to=2026-02-01T00:00:00", "/to"),
        ("from=2026-02-02&to=2026-02-01", "/from"),
        ("cursor=zzz", "/cursor"),
        ("cursor=0.ffffffffffffffff", "/cursor"),
        ("include_features=maybe", "/include_features"),
    ],
)
def test_400_with_a_pointer_for_a_malformed_query(stack: Stack, known: str, query: str, pointer: str) -> None:
    response = stack.get(f"/api/prediction/{known}/history?{query}")
    body = assert_problem(response, 400, "INVALID_QUERY")
    (error,) = body["errors"]
    assert error["pointer"] == pointer
    assert error["detail"]


def test_v1_is_an_alias(stack: Stack, known: str) -> None:
    for path in (f"prediction/{known}", f"predictions?symbols={known}", f"prediction/{known}/history"):
        answers = [stack.get(f"/api/{version}{path}") for version in ("", "v1/")]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].headers["etag"] == answers[1].headers["etag"]


def test_gzip_above_1_kb_and_not_below(stack: Stack, symbol: str) -> None:
    stack.publish(*numbered(symbol, 20))
    eventually(lambda: stack.count_rows(symbol) == 20)
    path = f"/api/prediction/{symbol}"
    status, headers, body = raw_get(stack, path + "/history", **{"Accept-Encoding": "gzip"})
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert len(json.loads(gzip.decompress(body))["data"]) == 20
    assert len(body) < len(gzip.decompress(body)) / 3
    assert "content-encoding" not in raw_get(stack, path, **{"Accept-Encoding": "gzip"})[1]


def test_values_that_another_writer_has_put_into_redis_are_served_or_ignored(
    stack: Stack, symbol: str
) -> None:
    with redis.Redis.from_url(stack.redis.url) as client:
        client.set(f"pred:{symbol}", json.dumps(event(symbol, predicted_price=3.5)))
        assert stack.read(symbol)["predicted_price"] == 3.5
        assert stack.read(symbol)["seq"] is None
        for junk in (b"", b"junk", b"{}", json.dumps(event("AAPL")).encode(), b"\xff"):
            client.set(f"pred:{symbol}", junk)
            assert stack.get(f"/api/prediction/{symbol}").status_code == 404
        stack.publish(event(symbol, predicted_price=4.5))
        eventually(lambda: stack.read(symbol).get("predicted_price") == 4.5)
