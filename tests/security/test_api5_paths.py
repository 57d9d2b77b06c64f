"""OWASP API5 and API7: no way of writing a path leads round what its route asks for.

Roles and methods are in tests/contract/test_access_matrix.py, files in tests/integration/test_hardening.py.
"""

from __future__ import annotations

import pytest

from tests.integration import raw
from tests.stack import Stack

PROTECTED = ["/auth/profile", "/auth/keys", "/api/explanation/AAPL", "/admin/accounts/apikey/"]

BENT = [
    "/{0}",
    "//{0}",
    "/./{0}",
    "/;/{0}",
    "/..;/{0}",
    "/version/../{0}",
    "/version/..;/{0}",
    "/version/%2e%2e/{0}",
    "/version%2f..%2f{0}",
    "/static/../{0}",
    "/static/..%2f{0}",
    "/health/live/../../{0}",
    "/{0}%00",
    "/{0}%20",
    "/{0};.css",
    "/{0}/.json",
    "/{0}%23/version",
    "/{0}%3f",
    "/{0}?/version",
    "/{0}#/version",
    "/%2f{0}",
    "/\\{0}",
    "http://localhost/{0}",
    "http://localhost:80//{0}",
    "//evil.example/{0}",
    "http://evil.example/{0}",
]


@pytest.mark.parametrize("path", PROTECTED)
@pytest.mark.parametrize("bent", BENT)
def test_no_spelling_of_a_path_opens_what_is_closed(stack: Stack, path: str, bent: str) -> None:
    answer = raw.get(stack, bent.format(path.strip("/")).encode())
    assert answer.status in (301, 302, 400, 401, 403, 404), answer.body[:300]
    assert "evil.example" not in answer.headers.get("location", "")
    if "location" in answer.headers:
        assert answer.headers["location"].startswith("/admin/")


@pytest.mark.parametrize("path", PROTECTED[:3])
def test_upper_case_is_another_path(stack: Stack, path: str) -> None:
    assert raw.get(stack, path.upper().encode()).status in (400, 401, 404)


@pytest.mark.parametrize("header", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix"])
def test_a_path_in_a_header_is_none(stack: Stack, header: str) -> None:
    answer = raw.get(stack, b"/version", f"{header}: /admin/".encode())
    assert (answer.status, b'"name"' in answer.body) == (200, True)
    closed = raw.get(stack, b"/auth/profile", f"{header}: /version".encode())
    assert closed.status == 401
