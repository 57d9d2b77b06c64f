"""The REST contract over a real server: statuses, bodies, headers, on every kind of request."""

from __future__ import annotations

import gzip
import http.client
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from tests.stack import Stack, event, eventually, numbered

PROBLEM = "application/problem+json"


def raw_get(stack: Stack, target: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """GET `target` to the letter: no client library puts the path in order."""
    place = urlsplit(stack.base_url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=10)
    try:
        connection.putrequest("GET", target, skip_accept_encoding=True)
        for name, value in {"X-API-Key": stack.key, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check the form that every error has; returns the body."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["error"]) == (status, code), body
    assert response.headers["content-type"] == PROBLEM
    assert body["status"] == status
    assert body["type"] == f"/errors/{code}"
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == response.request.url.path
    assert body["request_id"] == response.headers["x-request-id"]
    assert datetime.fromisoformat(body["timestamp"]) <= datetime.now(UTC) + timedelta(seconds=1)
    return body


@pytest.fixture
def known(stack: Stack, symbol: str) -> str:
    """A symbol with one prediction."""
    stack.publish(event(symbol, features={"momentum_21d": 0.04}))
    eventually(lambda: stack.read(symbol))
    return symbol


@pytest.mark.parametrize(
    "target",
    [
        "aapl",
        "TOOLONG",
        "",
        "%00",
        "A%00",
        "AAPL%0A",
        "%C3%84APL",
        "%F0%9F%9A%80",
        "%FF",
        "../x",
        "%2e%2e%2fx",
        "..%2F..%2Fetc%2Fpasswd",
        "A%20B",
        "AAPL/",
        "AAPL/x",
        "A' OR 1=1--",
        "BRK.B",
        "1",
        "A" * 4000,
    ],
)
@pytest.mark.parametrize("suffix", ["", "/history"])
def test_400_with_a_problem_body_for_a_malformed_symbol(stack: Stack, target: str, suffix: str) -> None:
    path = "/api/prediction/" + quote(target, safe="%/.") + suffix
    status, headers, body = raw_get(stack, path)
    assert (status, headers["content-type"]) == (400, PROBLEM)
    problem = json.loads(body)
    assert problem["error"] == "INVALID_SYMBOL"
    assert "^[A-Z]{1,5}$" in problem["detail"]
    assert len(body) < 10_000


def test_400_names_the_symbol_that_was_probably_meant(stack: Stack) -> None:
    body = assert_problem(stack.get("/api/prediction/aapl"), 400, "INVALID_SYMBOL")
    assert body["detail"].endswith("Did you mean AAPL?")


def test_404_for_a_symbol_that_was_never_predicted(stack: Stack) -> None:
    for path in ("/api/prediction/ZZZZZ", "/api/prediction/ZZZZZ/history"):
        assert_problem(stack.get(path), 404, "UNKNOWN_SYMBOL")


@pytest.mark.parametrize(
    "path", ["/api/nothing", "/nothing", "/api/predictions/", "/api", "/errors/NO_SUCH_CODE"]
)
def test_404_for_an_unknown_path(stack: Stack, path: str) -> None:
    assert_problem(stack.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_405_with_allow(stack: Stack, method: str) -> None:
    response = httpx.request(method, stack.base_url + "/api/predictions", headers={"X-API-Key": stack.key})
    assert_problem(response, 405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"


def test_406_where_json_is_not_accepted(stack: Stack, known: str) -> None:
    assert_problem(stack.get(f"/api/prediction/{known}", Accept="text/html"), 406, "NOT_ACCEPTABLE")


def test_400_for_a_foreign_host(stack: Stack) -> None:
    assert_problem(stack.get("/api/prediction/AAPL", Host="evil.example"), 400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": ""},
        {"X-API-Key": "pgw_live_nonsense"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer pgw_live_nonsense"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"X-API-Key": "x" * 5000},
        {"X-API-Key": "\u00e9\u00e9"},
    ],
)
def test_401_for_a_bad_credential_and_never_anonymous(
    stack: Stack, known: str, headers: dict[str, str]
) -> None:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    response = httpx.get(f"{stack.base_url}/api/prediction/{known}", headers=encoded)
    assert_problem(response, 401, "INVALID_CREDENTIAL")
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_401_for_a_key_with_a_good_form_that_is_unknown_revoked_or_expired(stack: Stack, known: str) -> None:
    from accounts import keys

    path = f"/api/prediction/{known}"
    unknown = keys.make_key(uuid.uuid4(), "live")
    body = assert_problem(stack.get(path, **{"X-API-Key": unknown}), 401, "INVALID_CREDENTIAL")
    assert unknown not in json.dumps(body)
    for change, word in (
        ("revoked_at = now()", "revoked"),
        ("expires_at = now()", "expired"),
    ):
        key = stack.manage("create_key", "--account", "t", "--tier", "free").split()[-1]
        assert stack.get(path, **{"X-API-Key": key}).status_code == 200
        stack.execute(f"UPDATE api_keys SET {change} WHERE digest = %s", keys.digest_key(key))  # noqa: S608
        body = assert_problem(stack.get(path, **{"X-API-Key": key}), 401, "INVALID_CREDENTIAL")
        assert word in body["detail"]


def test_200_with_the_key_as_bearer_token_and_without_any_key(stack: Stack, known: str) -> None:
    url = f"{stack.base_url}/api/prediction/{known}"
    assert httpx.get(url, headers={"Authorization": f"Bearer {stack.key}"}).status_code == 200
    assert httpx.get(url).status_code == 200


def test_403_for_a_key_without_the_scope(stack: Stack, known: str) -> None:
    from accounts import keys

    key = stack.manage("create_key", "--account", "t", "--tier", "free").split()[-1]
    stack.execute("UPDATE api_keys SET scopes = '[\"stream\"]' WHERE digest = %s", keys.digest_key(key))
    response = stack.get(f"/api/prediction/{known}", **{"X-API-Key": key})
    assert_problem(response, 403, "SCOPE_MISSING")


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


def test_request_id_is_taken_over_when_harmless_and_made_when_not(stack: Stack) -> None:
    path = "/api/prediction/ZZZZZ"
    given = stack.get(path, **{"X-Request-ID": "trace-12345"})
    assert given.headers.get_list("x-request-id") == ["trace-12345"]
    assert given.json()["request_id"] == "trace-12345"
    made = stack.get(path, **{"X-Request-ID": "two words <script>"})
    assert uuid.UUID(made.headers["x-request-id"]).version == 4


def test_every_problem_type_is_a_page(stack: Stack) -> None:
    from gateway_project.problem_types import PROBLEM_TYPES

    for code, kind in PROBLEM_TYPES.items():
        page = stack.get(f"/errors/{code}")
        assert page.status_code == 200
        assert kind.title in page.text
        assert kind.advice in page.text


def test_the_start_page_shows_calls_to_this_host(stack: Stack) -> None:
    page = stack.get("/")
    assert page.status_code == 200
    assert f"{stack.base_url}/api/prediction/AAPL" in page.text
    assert stack.socket_url in page.text


def test_403_as_a_problem_for_a_form_without_its_token(stack: Stack) -> None:
    response = httpx.post(stack.base_url + "/admin/login/", data={"username": "x"})
    assert_problem(response, 403, "FORBIDDEN")


def test_probes_and_version(stack: Stack) -> None:
    assert stack.get("/health/live").json() == {"status": "alive"}
    assert stack.get("/health/ready").json() == {"status": "ready"}
    assert stack.get("/version").json()["name"] == "prediction-gateway"


def test_cors_allows_listed_origins_only(stack: Stack, known: str) -> None:
    url = f"{stack.base_url}/api/prediction/{known}"
    preflight = {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "x-api-key",
    }
    listed = {"Origin": "https://dashboard.example"}
    allowed = httpx.options(url, headers=listed | preflight)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://dashboard.example"
    assert "x-api-key" in allowed.headers["access-control-allow-headers"]
    read = httpx.get(url, headers=listed)
    assert read.headers["access-control-allow-origin"] == "https://dashboard.example"
    assert "X-Request-ID" in read.headers["access-control-expose-headers"]
    for origin in ("https://evil.example", "https://dashboard.example.evil.example", "null"):
        refused = httpx.get(url, headers={"Origin": origin})
        assert "access-control-allow-origin" not in refused.headers


def test_the_admin_asks_for_a_login_and_serves_its_own_style(stack: Stack) -> None:
    page = httpx.get(stack.base_url + "/admin/", follow_redirects=True)
    assert page.status_code == 200
    assert "Log in" in page.text
    assert httpx.get(stack.base_url + "/static/admin/css/base.css").status_code == 200


def test_values_that_another_writer_has_put_into_redis_are_served_or_ignored(
    stack: Stack, symbol: str
) -> None:
    import redis

    with redis.Redis.from_url(stack.redis.url) as client:
        client.set(f"pred:{symbol}", json.dumps(event(symbol, predicted_price=3.5)))
        assert stack.read(symbol)["predicted_price"] == 3.5
        assert stack.read(symbol)["seq"] is None
        for junk in (b"", b"junk", b"{}", json.dumps(event("AAPL")).encode(), b"\xff"):
            client.set(f"pred:{symbol}", junk)
            assert stack.get(f"/api/prediction/{symbol}").status_code == 404
        stack.publish(event(symbol, predicted_price=4.5))
        eventually(lambda: stack.read(symbol).get("predicted_price") == 4.5)
