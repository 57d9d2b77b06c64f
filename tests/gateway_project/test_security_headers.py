"""The headers that keep browsers from harm: which policy an answer has, and what depends on https."""

from __future__ import annotations

import re

import pytest
from django.http import HttpRequest, HttpResponse
from pytest_django import Settings

from gateway_project import addresses, config, content_policies, security_headers
from gateway_project.config import Config
from gateway_project.security_headers import OF_DATA, SecurityHeadersMiddleware

HTML = "text/html; charset=utf-8"


@pytest.fixture(autouse=True)
def _in_production(settings: Settings) -> None:
    """Whatever the tests run with, policies are made anew."""
    settings.GATEWAY = Config(security_preset="production")
    content_policies.of_page.cache_clear()
    content_policies.of_admin.cache_clear()


def directives(policy: str) -> dict[str, str]:
    """The sources by directive."""
    return {name: sources for name, _, sources in (one.strip().partition(" ") for one in policy.split(";"))}


@pytest.mark.parametrize("kind", ["application/json", "application/problem+json", "text/css", "text/csv", ""])
def test_nothing_is_loaded_for_data(kind: str) -> None:
    assert directives(content_policies.find("/admin/", kind, is_secure=True)) == {
        "default-src": "'none'",
        "frame-ancestors": "'none'",
    }


@pytest.mark.parametrize("path", ["/", "/errors/NOT_FOUND", "/administrators"])
def test_a_page_has_nothing_inline_and_nothing_of_others(path: str) -> None:
    found = directives(content_policies.find(path, HTML, is_secure=False))
    assert found["default-src"] == "'self'"
    assert found["frame-ancestors"] == found["object-src"] == found["base-uri"] == "'none'"
    assert "unsafe" not in str(found)
    assert not {"script-src", "style-src", "connect-src", "upgrade-insecure-requests"} & found.keys()


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/accounts/tier/"])
def test_the_admin_may_compile_and_has_one_style_by_its_digest(path: str) -> None:
    found = directives(content_policies.find(path, HTML, is_secure=False))
    assert found["script-src"] == "'self' 'unsafe-eval'"
    assert re.fullmatch(r"'self' 'sha256-[\w+/]{43}='", found["style-src"])
    assert "unsafe-inline" not in str(found)
    assert found["frame-ancestors"] == "'none'"


@pytest.mark.parametrize("path", ["/", "/admin/"])
def test_insecure_requests_are_upgraded_over_https_in_production_alone(path: str, settings: Settings) -> None:
    assert "upgrade-insecure-requests" in content_policies.find(path, HTML, is_secure=True)
    assert "upgrade-insecure-requests" not in content_policies.find(path, HTML, is_secure=False)
    settings.GATEWAY = Config(security_preset="development")
    content_policies.of_page.cache_clear()
    content_policies.of_admin.cache_clear()
    relaxed = directives(content_policies.find(path, HTML, is_secure=True))
    assert "upgrade-insecure-requests" not in relaxed
    assert relaxed["connect-src"] == "'self' ws: wss:"


def test_transport_security_is_said_over_https_alone() -> None:
    assert security_headers.of_scheme("http") == ()
    assert security_headers.of_scheme("https") == (
        (b"strict-transport-security", b"max-age=31536000; includeSubDomains; preload"),
    )


def test_subdomains_can_be_left_out(settings: Settings) -> None:
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = False
    settings.SECURE_HSTS_SECONDS = 60
    assert security_headers._transport_security() == "max-age=60"


def test_what_a_view_says_itself_stays() -> None:
    said = {"Content-Security-Policy": "default-src 'self'", "X-Frame-Options": "SAMEORIGIN"}
    answer = SecurityHeadersMiddleware(lambda _: HttpResponse(headers=said))(HttpRequest())
    assert {name: answer[name] for name in said} == said
    assert {name.decode() for name, _ in OF_DATA} <= {name.lower() for name in answer.headers}


@pytest.mark.parametrize(
    ("preset", "debug", "environment", "is_production"),
    [
        ("auto", False, "production", True),
        ("auto", False, "staging", True),
        ("auto", False, "demo", False),
        ("auto", False, "development", False),
        ("auto", True, "production", False),
        ("production", True, "demo", True),
        ("development", False, "production", False),
    ],
)
def test_the_preset_follows_from_debug_and_environment(
    preset: str, debug: bool, environment: str, is_production: bool
) -> None:
    found = Config(security_preset=preset, debug=debug, environment=environment)  # type: ignore[arg-type]
    assert found.is_production is is_production


def test_only_a_proxy_of_ours_is_believed_and_only_with_one_word(settings: Settings) -> None:
    settings.GATEWAY = config.Config(trusted_proxies=["10.0.0.0/8"], forwarded_proto=True)
    https, http = (b"x-forwarded-proto", b"https"), (b"x-forwarded-proto", b"http")
    find = addresses.find_scheme
    assert find("http", "10.0.0.1", [https]) == "https"
    assert find("https", "203.0.113.9", [http]) == "https"
    for peer, headers in (
        ("203.0.113.9", [https]),
        ("10.0.0.1", []),
        ("10.0.0.1", [http]),
        ("10.0.0.1", [https, https]),
        ("10.0.0.1", [(b"x-forwarded-proto", b"https, http")]),
        (None, [https]),
    ):
        assert find("http", peer, headers) == "http"
    settings.GATEWAY = config.Config(trusted_proxies=["10.0.0.0/8"])
    assert find("http", "10.0.0.1", [https]) == "http"
