"""The REST contract over a real server: who is refused, how, and what surrounds every answer."""

from __future__ import annotations

import functools
import html
import json
import uuid
from urllib.parse import quote

import httpx
import pytest

from accounts import keys
from gateway_project.problem_types import PROBLEM_TYPES
from tests.integration.rest import PROBLEM, assert_problem, raw_get
from tests.stack import Stack, eventually


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
        "A%20B",
        "AAPL/",
        "AAPL/x",
        "A' OR 1=1--",
        "BRK.B",
        "1",
        "A" * 4000,
    ],
)
@pytest.mark.parametrize("suffix", ["", "/history", "/accuracy"])
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
    for path in ("/api/prediction/ZZZZZ", "/api/prediction/ZZZZZ/history", "/api/prediction/ZZZZZ/accuracy"):
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
        refused = eventually(functools.partial(_refusal, stack, path, key), timeout_s=1.0)
        assert word in assert_problem(refused, 401, "INVALID_CREDENTIAL")["detail"]


def _refusal(stack: Stack, path: str, key: str) -> httpx.Response | None:
    """The answer to `key` once it is refused."""
    response = stack.get(path, **{"X-API-Key": key})
    return None if response.status_code == 200 else response


def test_200_with_the_key_as_bearer_token_and_without_any_key(stack: Stack, known: str) -> None:
    url = f"{stack.base_url}/api/prediction/{known}"
    assert httpx.get(url, headers={"Authorization": f"Bearer {stack.key}"}).status_code == 200
    assert httpx.get(url).status_code == 200


def test_403_for_a_key_without_the_scope(stack: Stack, known: str) -> None:
    key = stack.manage("create_key", "--account", "t", "--tier", "free").split()[-1]
    stack.execute("UPDATE api_keys SET scopes = '[\"stream\"]' WHERE digest = %s", keys.digest_key(key))
    response = stack.get(f"/api/prediction/{known}", **{"X-API-Key": key})
    assert_problem(response, 403, "SCOPE_MISSING")


def test_request_id_is_taken_over_when_harmless_and_made_when_not(stack: Stack) -> None:
    path = "/api/prediction/ZZZZZ"
    given = stack.get(path, **{"X-Request-ID": "trace-12345"})
    assert given.headers.get_list("x-request-id") == ["trace-12345"]
    assert given.json()["request_id"] == "trace-12345"
    made = stack.get(path, **{"X-Request-ID": "two words <script>"})
    assert uuid.UUID(made.headers["x-request-id"]).version == 4


def test_every_problem_type_is_a_page(stack: Stack) -> None:
    for code, kind in PROBLEM_TYPES.items():
        page = stack.get(f"/errors/{code}")
        assert page.status_code == 200
        text = html.unescape(page.text)
        assert kind.title in text
        assert kind.advice in text


def test_the_start_page_shows_calls_to_this_host(stack: Stack) -> None:
    page = stack.get("/start")
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
