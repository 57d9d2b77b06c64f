"""What all answers of a route carry is what Django says of it, as pairs and as lines."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings

from gateway_project import house_headers
from gateway_project.house_headers import HouseHeaders, Pair, as_lines, ask, of

PATHS = [
    "/api/prediction/AAPL",
    "/api/v1/prediction/AAPL",
    "/api/predictions",
    "/api/explanation/AAPL",
    "/api/explanation/job/0192f0c1-2a3b-7c4d-8e5f-60718293a4b5",
]
OF_ONE_ANSWER = {"content-type", "content-length", "content-encoding", "vary", "etag", "cache-control"}

# A clone in which nothing was collected has no folder of static files.
# No test here has a database: nothing is asked of any store.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at:UserWarning")


@pytest.mark.parametrize("path", PATHS)
def test_they_are_those_of_an_answer_to_options_but_for_what_is_said_of_one_answer(path: str) -> None:
    response = Client(headers={"host": "localhost"}).options(path)
    assert response.status_code == 200
    expected = {name.lower(): value for name, value in response.items() if name.lower() not in OF_ONE_ANSWER}
    found = {name.decode(): value.decode() for name, value in ask(path).pairs}
    assert found == expected


@pytest.mark.parametrize("path", PATHS)
def test_the_browser_is_told_to_be_careful_on_every_route(path: str) -> None:
    found = dict(ask(path).pairs)
    assert found[b"x-content-type-options"] == b"nosniff"
    assert found[b"x-frame-options"] == b"DENY"
    assert found[b"referrer-policy"] == b"strict-origin-when-cross-origin"
    assert found[b"cross-origin-opener-policy"] == b"same-origin"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/prediction/AAPL", {"GET", "HEAD", "OPTIONS"}),
        ("/api/explanation/AAPL", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/api/explanation/job/x", {"GET", "HEAD", "OPTIONS", "DELETE"}),
    ],
)
def test_the_methods_are_those_of_the_route(path: str, methods: set[str]) -> None:
    assert set(dict(ask(path).pairs)[b"allow"].decode().split(", ")) == methods


@pytest.mark.parametrize("path", PATHS)
def test_lines_and_pairs_say_the_same(path: str) -> None:
    pairs, lines = ask(path)
    assert lines.endswith(b"\r\n")
    assert read_lines(lines) == list(pairs)
    assert all(name == name.lower() for name, _ in pairs)
    assert len({name for name, _ in pairs}) == len(pairs)


@pytest.mark.parametrize(
    ("pairs", "lines"),
    [
        ((), b""),
        (((b"allow", b"GET"),), b"allow: GET\r\n"),
        (((b"a", b""), (b"b", b"\xe4, x: y")), b"a: \r\nb: \xe4, x: y\r\n"),
    ],
    ids=["none", "one", "two"],
)
def test_pairs_become_lines_of_http(pairs: tuple[Pair, ...], lines: bytes) -> None:
    assert as_lines(pairs) == as_lines(list(pairs)) == lines
    assert of(pairs) == HouseHeaders(pairs, lines)


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing", "/api/prediction"])
def test_a_path_that_leads_nowhere_has_none(path: str) -> None:
    with pytest.raises(RuntimeError, match=f"OPTIONS {path} was answered with 404"):
        ask(path)


@pytest.mark.parametrize("hosts", [["api.example.com"], [".example.com", "localhost"], ["*"], []])
def test_django_is_asked_as_one_of_its_own_hosts(settings: Settings, hosts: list[str]) -> None:
    expected = ask("/api/predictions")
    settings.ALLOWED_HOSTS = hosts
    settings.DEBUG = not hosts
    assert ask("/api/predictions") == expected


def test_django_is_loaded_once() -> None:
    ask("/api/predictions")
    assert house_headers._django() is house_headers._django()


def read_lines(lines: bytes) -> list[tuple[bytes, bytes]]:
    """The pairs in lines of HTTP/1.1."""
    found = (line.partition(b": ") for line in lines.split(b"\r\n") if line)
    return [(name, value) for name, _, value in found]
