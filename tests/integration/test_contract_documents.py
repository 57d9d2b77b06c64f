"""The documents of the contract as they are served: whole, the same on each of their paths, revalidated."""

from __future__ import annotations

import html
import json
import re

import httpx
import pytest

from accounts import access
from gateway_project import embedded
from gateway_project.problem_types import PROBLEM_TYPES
from gateway_project.routes import find
from gateway_project.settings import BASE_DIR
from tests.integration.test_security_headers import assert_careful
from tests.stack import Stack

PLACES = {
    "openapi": ("/api/openapi.json", "/openapi.json", "/api/v1/openapi.json"),
    "asyncapi": ("/api/asyncapi.json", "/asyncapi.json", "/api/v1/asyncapi.json"),
}


@pytest.mark.parametrize("name", PLACES)
def test_200_with_the_file_on_each_of_its_paths(stack: Stack, name: str) -> None:
    told = json.loads((BASE_DIR / f"docs/{name}.json").read_text())
    answers = [httpx.get(stack.base_url + path) for path in PLACES[name]]
    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.headers["cache-control"].split(", ")) == {"public", "max-age=60"}
        assert answer.json() == told
        assert_careful(answer.headers)
    assert len({answer.headers["etag"] for answer in answers}) == 1


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("accepts", ["gzip", "identity"])
def test_304_for_whoever_has_it(stack: Stack, name: str, accepts: str) -> None:
    url = stack.base_url + PLACES[name][0]
    first = httpx.get(url, headers={"Accept-Encoding": accepts})
    assert (first.headers.get("content-encoding") == "gzip") == (accepts == "gzip")
    again = httpx.get(url, headers={"If-None-Match": first.headers["etag"], "Accept-Encoding": accepts})
    assert again.status_code == 304
    assert again.content == b""
    assert httpx.get(url, headers={"If-None-Match": '"another"'}).status_code == 200


def test_head_and_a_foreign_page_may_read_it(stack: Stack) -> None:
    url = stack.base_url + PLACES["openapi"][0]
    assert httpx.head(url).status_code == 200
    answer = httpx.get(url, headers={"Origin": "https://dashboard.example"})
    assert answer.headers["access-control-allow-origin"] == "https://dashboard.example"


@pytest.mark.parametrize("path", ["/api/openapi.json", "/api/docs", "/redoc", "/llms.txt"])
def test_405_for_everything_else(stack: Stack, path: str) -> None:
    answer = httpx.post(stack.base_url + path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert answer.json()["error"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(
    "path", ["/api/docs", "/docs", "/api/v1/docs", "/api/redoc", "/redoc", "/api/v1/redoc"]
)
def test_pages_load_from_this_server_alone(stack: Stack, path: str) -> None:
    page = httpx.get(stack.base_url + path)
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|href|data-document)="([^"]*)"', page.text)
    assert len(loaded) > 5
    for url in set(loaded) - {"data:,"}:
        assert url.startswith("/")
        assert httpx.get(stack.base_url + url).status_code == 200, url
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert ("sha256-" in policy) == path.endswith("/redoc")


def test_llms_txt_names_calls_that_exist_every_code_and_every_document(stack: Stack) -> None:
    answer = httpx.get(f"{stack.base_url}/llms.txt")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    text = answer.text
    assert text.startswith("# Prediction Gateway ")
    assert "&" not in re.sub(r"[?&]\w+=", "", text)  # nothing is escaped for HTML
    calls = re.findall(r"(GET|POST|DELETE) (/[\w/{}-]+)", text)
    assert len(calls) > 8
    for method, path in calls:
        route = find(path.replace("{symbol}", "AAPL").replace("{job_id}", "x"))
        assert method in access.ROUTES[route], path
    for link in re.findall(r"\]\((http[^)]*)\)", text):
        assert httpx.get(link).status_code == 200, link
    assert {code for code in PROBLEM_TYPES if f"- {code} (" in text} == set(PROBLEM_TYPES)


def test_a_gateway_with_symbols_of_its_own_says_so(own_stack: Stack) -> None:
    own_stack.environ["SYMBOL_PATTERN"] = r"^[A-Z.]{1,8}$"
    own_stack.start_web()
    parameters = own_stack.get("/api/openapi.json").json()["paths"]["/api/prediction/{symbol}"]["get"][
        "parameters"
    ]
    symbol = next(one for one in parameters if one["name"] == "symbol")
    assert symbol["schema"]["pattern"] == r"^[A-Z.]{1,8}$"
    assert r"A symbol matches ^[A-Z.]{1,8}$;" in own_stack.get("/llms.txt").text


def test_a_process_for_sockets_serves_none_of_it(stack: Stack) -> None:
    port = embedded.free_port()
    process = stack.start("serve", "--port", str(port), "--role", "ws")
    assert embedded.wait_until_listening(port, timeout_s=60)
    answer = httpx.get(f"http://127.0.0.1:{port}/api/openapi.json")
    process.terminate()
    process.wait(timeout=60)
    assert answer.status_code == 404


@pytest.mark.parametrize("code", PROBLEM_TYPES)
def test_the_page_of_each_error_shows_one_and_says_where_it_comes_from(stack: Stack, code: str) -> None:
    answer = httpx.get(f"{stack.base_url}/errors/{code}")
    text = html.unescape(answer.text)
    kind = PROBLEM_TYPES[code]
    assert answer.status_code == 200
    assert kind.advice in text
    shown = json.loads(text[text.index("\n{") : text.index("\n}") + 2])
    assert (shown["error"], shown["status"], shown["title"]) == (code, kind.status, kind.title)
    if code in {"NOT_FOUND", "METHOD_NOT_ALLOWED"}:
        assert "Any path." in text
    else:
        assert re.search(r"<code>(?:GET|POST|PATCH|DELETE|HEAD) /", text)
