"""Every answer of a running gateway tells browsers what to refrain from: pages, data, refusals, files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from gateway_project import embedded
from tests.integration import raw
from tests.people import PASSWORD, add_account, add_key, add_tier, add_user
from tests.stack import Stack, eventually

ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-xss-protection": "1; mode=block",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), "
    "xr-spatial-tracking=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
DATA = "default-src 'none'; frame-ancestors 'none'"
FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
HSTS = "max-age=31536000; includeSubDomains; preload"


def assert_careful(headers: httpx.Headers | dict[str, str], *, policy: str = DATA) -> None:
    """All of them are there, each once; `policy` begins that of the content."""
    found = list(headers.multi_items()) if isinstance(headers, httpx.Headers) else list(headers.items())
    for name, value in ALWAYS.items():
        assert [v for n, v in found if n.lower() == name] == [value], name
    policies = [v for n, v in found if n.lower() == "content-security-policy"]
    assert len(policies) == 1
    assert policies[0] == policy if policy == DATA else policies[0].startswith(policy)
    assert not {n.lower() for n, _ in found} & {"server", "x-powered-by"}


Ask = Callable[[Stack, str], httpx.Response]
ANSWERS: dict[str, tuple[int, Ask]] = {
    "hot read": (200, lambda s, known: s.get(f"/api/prediction/{known}")),
    "hot batch": (200, lambda s, known: s.get(f"/api/predictions?symbols={known}")),
    "cold read": (200, lambda s, known: s.get(f"/api/prediction/{known}/history")),
    "unknown symbol": (404, lambda s, known: s.get("/api/prediction/ZZZZZ")),
    "unknown path": (404, lambda s, known: s.get("/nothing")),
    "no credential": (401, lambda s, known: httpx.get(f"{s.base_url}/auth/profile")),
    "method": (405, lambda s, known: httpx.request("DELETE", f"{s.base_url}/version")),
    "host": (400, lambda s, known: s.get("/version", Host="evil.example")),
    "climbs": (403, lambda s, known: s.get("/%7Eroot")),
    "large": (413, lambda s, known: httpx.post(f"{s.base_url}/auth/login", content=b"x" * 1_100_000)),
    "live": (200, lambda s, known: s.get("/health/live")),
    "health": (200, lambda s, known: s.get("/health")),
    "version": (200, lambda s, known: s.get("/version")),
    "metrics": (200, lambda s, known: s.get("/metrics")),
    "style": (200, lambda s, known: s.get("/static/gateway_pages/page.css")),
    "no such file": (404, lambda s, known: s.get("/static/nothing.css")),
    "form without token": (403, lambda s, known: httpx.post(f"{s.base_url}/admin/login/", data={"a": "b"})),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_data_and_refusals_carry_them(stack: Stack, known: str, name: str) -> None:
    status, ask = ANSWERS[name]
    answer = ask(stack, known)
    assert answer.status_code == status
    assert_careful(answer.headers)
    assert "strict-transport-security" not in answer.headers


def test_304_and_429_carry_them(stack: Stack, known: str) -> None:
    path = f"/api/prediction/{known}"
    again = stack.get(path, **{"If-None-Match": stack.get(path).headers["etag"]})
    assert again.status_code == 304
    assert_careful(again.headers)
    key = add_key(stack, add_tier(stack, ("one", "account", 1, 3600, None))).header
    statuses = [httpx.get(stack.base_url + path, headers=key) for _ in range(2)]
    assert statuses[-1].status_code == 429
    assert_careful(statuses[-1].headers)


PAGES = ["/", "/start", "/errors/NOT_FOUND", "/api/docs", "/api/redoc", "/docs", "/redoc"]


@pytest.mark.parametrize("path", PAGES)
def test_pages_run_nothing_inline(stack: Stack, path: str) -> None:
    page = stack.get(path)
    assert_careful(page.headers, policy="default-src 'self'; ")
    assert "unsafe" not in page.headers["content-security-policy"]
    for inline in ("<style", "<script>", " style=", " onclick="):
        assert inline not in page.text


def test_the_admin_cannot_be_framed_and_its_cookies_are_for_https(stack: Stack) -> None:
    name = add_user(stack, account=add_account(stack, "pro"), role="admin", is_staff=True, is_superuser=True)
    with httpx.Client(base_url=stack.base_url, timeout=60) as browser:
        assert_careful(browser.get("/admin/").headers, policy="default-src 'self'; ")  # a redirect
        page = browser.get("/admin/login/")
        assert_careful(page.headers, policy="default-src 'self'; ")
        token = page.text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        # Over plain http the client keeps these cookies to itself, as it should.
        cookies = "; ".join(f"{one.name}={one.value}" for one in browser.cookies.jar)
        form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": token}
        inside = browser.post("/admin/login/?next=/admin/", data=form, headers={"Cookie": cookies})
    assert inside.status_code == 302
    given = [*page.headers.get_list("set-cookie"), *inside.headers.get_list("set-cookie")]
    assert {one.partition("=")[0] for one in given} == {"csrftoken", "sessionid"}
    for one in given:
        assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(one.split("; "))


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 400_000 + b"\r\n\r\n", 431),
        (b"nonsense\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_gets_them_too(stack: Stack, request_: bytes, status: int) -> None:
    answer = raw.ask(stack, request_)
    assert answer.status == status
    assert_careful(answer.headers)


@pytest.fixture(scope="module")
def behind_a_proxy(stack: Stack) -> Iterator[str]:
    """A process that trusts whoever is on this machine to be a proxy."""
    given = {"TRUSTED_PROXIES": "127.0.0.1", "FORWARDED_PROTO": "true", "HTTPS_REDIRECT": "true"}
    port = embedded.free_port()
    stack.environ |= given
    process = stack.start("serve", "--port", str(port))
    for name in given:
        del stack.environ[name]
    assert embedded.wait_until_listening(port, timeout_s=60)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=60)


PATHS = [
    "/api/prediction/{known}",
    "/api/prediction/{known}/history",
    "/nothing",
    "/health/live",
    "/auth/profile",
]


@pytest.mark.parametrize("path", [*PATHS, "/", "/start", "/admin/login/"])
def test_transport_security_is_told_where_the_proxy_says_https(
    stack: Stack, known: str, behind_a_proxy: str, path: str
) -> None:
    url, key = behind_a_proxy + path.format(known=known), {"X-API-Key": stack.key}
    for _ in range(2):  # the first fills the board
        secure = httpx.get(url, headers=key | FORWARDED)
        assert secure.headers.get_list("strict-transport-security") == [HSTS]
        plain = httpx.get(url, headers=key)
        assert "strict-transport-security" not in plain.headers
        assert plain.is_redirect == (path in ("/", "/start", "/admin/login/"))
    if not plain.is_redirect:
        assert secure.status_code == plain.status_code


@pytest.mark.parametrize("path", ["/", "/admin/login/"])
def test_pages_over_https_upgrade_what_is_not(behind_a_proxy: str, path: str) -> None:
    page = httpx.get(behind_a_proxy + path, headers=FORWARDED)
    assert page.headers["content-security-policy"].endswith("; upgrade-insecure-requests")


def test_in_development_cookies_go_over_http(own_stack: Stack) -> None:
    own_stack.environ |= {"ENVIRONMENT": "demo", "TRUSTED_PROXIES": "127.0.0.1", "FORWARDED_PROTO": "true"}
    own_stack.start_web()
    page = httpx.get(own_stack.base_url + "/admin/login/", headers=FORWARDED)
    assert "secure" not in page.headers["set-cookie"].lower()
    assert "strict-transport-security" not in page.headers
    assert "upgrade-insecure-requests" not in page.headers["content-security-policy"]


def test_500_tells_nothing_of_what_went_wrong(own_stack: Stack, tmp_path: Path) -> None:
    own_stack.log_path = tmp_path / "log"
    own_stack.start_web()
    own_stack.execute("ALTER TABLE predictions_prediction RENAME TO elsewhere")
    broken = own_stack.get("/api/prediction/AAPL/history")
    assert broken.status_code == 500
    assert broken.json()["error"] == "INTERNAL_ERROR"
    assert_careful(broken.headers)
    for word in ("Traceback", "predictions_prediction", "psycopg", ".py"):
        assert word not in broken.text
    eventually(lambda: "predictions_prediction" in (tmp_path / "log").read_text())


def test_a_process_for_sockets_refuses_with_them(stack: Stack) -> None:
    port = embedded.free_port()
    process = stack.start("serve", "--port", str(port), "--role", "ws")
    assert embedded.wait_until_listening(port, timeout_s=60)
    refused = httpx.get(f"http://127.0.0.1:{port}/api/predictions")
    process.terminate()
    process.wait(timeout=60)
    assert refused.status_code == 404
    assert_careful(refused.headers)
