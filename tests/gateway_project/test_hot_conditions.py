"""What the headers of a request say to a hot read; whatever is unusual in them leaves it to Django."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from pytest_django import Settings

from accounts import keys, networks
from gateway_project import addresses, hot_conditions
from gateway_project.addresses import RawHeaders
from gateway_project.hot_conditions import Conditions
from observability.short_memory import ShortMemory

HOST = (b"host", b"localhost")
KEY = keys.make_key(uuid.UUID(int=7), "live", choose=lambda alphabet: alphabet[0])
OTHER_KEY = keys.make_key(uuid.UUID(int=8), "live", choose=lambda alphabet: alphabet[0])
PROXY, CLIENT = "10.0.0.9", "203.0.113.7"
OURS = "https://dashboard.example"


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Nothing is remembered from a test with other settings."""
    remembering = (
        hot_conditions._accepts_json.remembered,
        hot_conditions._is_our_host.remembered,
        hot_conditions._cors.remembered,
        addresses._find_short,
    )
    for one in remembering:
        one.cache_clear()
    yield
    for one in remembering:
        one.cache_clear()


def conditions(*headers: tuple[bytes, bytes], peer: str | None = CLIENT) -> Conditions:
    """Those of a request to us with `headers`."""
    return Conditions([HOST, *headers], peer)


def is_plain(*headers: tuple[bytes, bytes]) -> bool:
    """Whether a request to us with `headers` is plain."""
    return conditions(*headers).is_plain


PLAIN: dict[str, RawHeaders] = {
    "nothing": [],
    "key": [(b"x-api-key", KEY.encode())],
    "browser": [
        (b"user-agent", b"Mozilla/5.0"),
        (b"accept", b"*/*"),
        (b"accept-encoding", b"gzip, deflate, br, zstd"),
        (b"accept-language", b"en"),
        (b"origin", b"https://dashboard.example"),
        (b"referer", b"https://dashboard.example/"),
    ],
    "cache": [(b"if-none-match", b'"x"'), (b"cache-control", b"no-cache")],
    "proxy": [(b"x-forwarded-for", b"203.0.113.7"), (b"x-request-id", b"abcdefgh")],
    "another site's cookie": [(b"cookie", b"a=b; theme=dark")],
    "empty cookie": [(b"cookie", b"")],
    "accept JSON": [(b"accept", b"application/json")],
    "accept any application": [(b"accept", b"text/html, application/*;q=0.1")],
    "connection": [(b"connection", b"keep-alive")],
    "not ASCII": [(b"user-agent", b"\xff\xe4")],
}
NOT_PLAIN: dict[str, RawHeaders] = {
    "host twice": [HOST],
    "key twice": [(b"x-api-key", KEY.encode()), (b"x-api-key", KEY.encode())],
    "accept twice": [(b"accept", b"*/*"), (b"accept", b"*/*")],
    "proxy twice": [(b"x-forwarded-for", b"203.0.113.7"), (b"x-forwarded-for", b"203.0.113.7")],
    "body": [(b"content-length", b"2")],
    "empty body": [(b"content-length", b"0")],
    "body in chunks": [(b"transfer-encoding", b"chunked")],
    "expect": [(b"expect", b"100-continue")],
    "upgrade": [(b"connection", b"upgrade"), (b"upgrade", b"websocket")],
    "session cookie": [(b"cookie", b"sessionid=abc")],
    "session cookie among others": [(b"cookie", b"a=b; sessionid=abc; c=d")],
    "form cookie": [(b"cookie", b"csrftoken=abc")],
    "accept XML": [(b"accept", b"application/xml")],
    "accept HTML": [(b"accept", b"text/html")],
    "accept nothing": [(b"accept", b"")],
    "accept nonsense": [(b"accept", b"x")],
}


@pytest.mark.parametrize("headers", PLAIN.values(), ids=PLAIN.keys())
def test_usual_headers_are_plain(headers: RawHeaders) -> None:
    assert is_plain(*headers)


@pytest.mark.parametrize("headers", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_unusual_headers_are_not_plain(headers: RawHeaders) -> None:
    assert not is_plain(*headers)


@pytest.mark.parametrize("host", [b"localhost", b"LOCALHOST", b"localhost:8000", b"127.0.0.1", b"[::1]:8000"])
def test_a_host_that_is_ours_is_plain(host: bytes) -> None:
    assert Conditions([(b"host", host)], CLIENT).is_plain


@pytest.mark.parametrize(
    "host", [b"evil.example", b"localhost.evil.example", b"localhost:x", b"local host", b"", b"\xe4"]
)
def test_a_foreign_host_is_not_plain(host: bytes) -> None:
    assert not Conditions([(b"host", host)], CLIENT).is_plain


def test_no_host_is_not_plain() -> None:
    assert not Conditions([], CLIENT).is_plain
    assert not Conditions(
        [(b"x-api-key", KEY.encode()), (b"x-forwarded-host", b"localhost")], CLIENT
    ).is_plain


def test_the_hosts_that_are_ours_are_those_of_the_settings(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["gateway.example"]
    assert Conditions([(b"host", b"gateway.example")], CLIENT).is_plain
    assert not is_plain()


def test_of_unusual_headers_nothing_is_worked_out() -> None:
    unusual = conditions((b"user-agent", b"tests"), (b"content-length", b"0"))
    for name in ("agent", "cors", "host", "known", "request_id", "takes_gzip", "noted_at_s"):
        assert not hasattr(unusual, name)


KEY_DIGEST, OTHER_DIGEST = keys.digest_key(KEY), keys.digest_key(OTHER_KEY)


@dataclasses.dataclass(frozen=True)
class Sent:
    """The two headers of a credential, as they are sent; None where one is not."""

    api_key: str | None = None
    authorization: str | None = None

    @property
    def headers(self) -> RawHeaders:
        """As the server reads them."""
        named = ((b"x-api-key", self.api_key), (b"authorization", self.authorization))
        return [(name, value.encode("latin-1")) for name, value in named if value is not None]


@pytest.mark.parametrize(
    ("sent", "digest"),
    [
        (Sent(KEY), KEY_DIGEST),
        (Sent(f" {KEY} "), KEY_DIGEST),
        (Sent(None, f"Bearer {KEY}"), KEY_DIGEST),
        (Sent(None, f"bearer   {KEY} "), KEY_DIGEST),
        (Sent(KEY, f"Bearer {OTHER_KEY}"), KEY_DIGEST),
        (Sent(KEY, "Basic abc"), KEY_DIGEST),
        (Sent(OTHER_KEY), OTHER_DIGEST),
        (Sent(), ""),
        (Sent(""), ""),
        (Sent("  "), ""),
        (Sent("", f"Bearer {KEY}"), ""),
        (Sent(None, ""), ""),
        (Sent(None, "Bearer"), ""),
        (Sent(None, "Bearer "), ""),
        (Sent(None, f"Basic {KEY}"), ""),
        (Sent(None, KEY), ""),
        (Sent("no key"), keys.digest_key("no key")),
        (Sent("\xe4"), keys.digest_key("\xe4")),
    ],
    ids=[
        "key",
        "key with spaces",
        "bearer",
        "bearer in small letters",
        "both",
        "key before another scheme",
        "another key",
        "none",
        "empty",
        "spaces",
        "empty key before a bearer",
        "empty authorization",
        "no bearer",
        "empty bearer",
        "another scheme",
        "no scheme",
        "no key of ours",
        "not ASCII",
    ],
)
def test_the_digest_is_that_of_the_key_that_counts(sent: Sent, digest: str) -> None:
    made = conditions(*sent.headers)
    assert made.is_plain
    assert (made.digest, made.digest) == (digest, digest)


def test_a_key_is_digested_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = conditions((b"x-api-key", KEY.encode()))
    monkeypatch.setattr(keys, "digest_key", lambda text: f"digest of {text}")
    assert made.digest == f"digest of {KEY}"
    monkeypatch.undo()
    assert made.digest == f"digest of {KEY}"


def forwarded(value: str, name: bytes = b"x-forwarded-for") -> tuple[bytes, bytes]:
    """What a proxy says of whom it speaks for."""
    return name, value.encode()


def test_without_proxies_the_client_is_the_other_end() -> None:
    assert conditions().address == CLIENT
    assert conditions(forwarded("198.51.100.1"), peer=PROXY).address == PROXY
    assert conditions(peer=None).address == "unknown"


def test_behind_proxies_of_ours_the_client_is_whom_they_name(settings: Settings) -> None:
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, trusted_proxies=["10.0.0.0/8"])
    assert conditions(forwarded(CLIENT), peer=PROXY).address == CLIENT
    assert conditions(forwarded(f"198.51.100.1, {CLIENT}, 10.1.1.1"), peer=PROXY).address == CLIENT
    assert conditions(forwarded(CLIENT, b"x-real-ip"), peer=PROXY).address == CLIENT
    assert conditions(forwarded("198.51.100.1"), peer=CLIENT).address == CLIENT  # it is no proxy of ours
    assert conditions(peer=PROXY).address == PROXY


REMEMBERED: dict[bytes, tuple[ShortMemory[bytes, Any], bytes]] = {
    b"host": (hot_conditions._is_our_host, b"localhost:8000"),
    b"accept": (hot_conditions._accepts_json, b"application/json;q=0.9"),
    b"origin": (hot_conditions._cors, b"https://dashboard.example"),
}


@pytest.mark.parametrize("name", REMEMBERED)
def test_a_usual_header_is_worked_out_once_and_a_long_one_leaves_nothing_behind(name: bytes) -> None:
    remembering, usual = REMEMBERED[name]
    for value in (usual, usual, b"a" * 257, b"a" * 60_000):
        Conditions([*dict([HOST, (name, value)]).items()], CLIENT)
    info = remembering.remembered.cache_info()
    assert (info.currsize, info.hits) == (1, 1)


@pytest.mark.parametrize("name", [b"accept", b"origin"])
def test_a_long_header_means_what_a_short_one_means(settings: Settings, name: bytes) -> None:
    settings.CORS_ALLOWED_ORIGINS = [OURS]
    long = {
        b"accept": b"text/html," + b" " * 300 + b"application/json",
        b"origin": OURS.encode() + b"." * 300,
    }
    made = conditions((name, long[name]))
    assert made.is_plain
    assert made.cors == ()


@pytest.fixture
def _proxied(settings: Settings) -> None:
    """10.0.0.0/8 are proxies of ours."""
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, trusted_proxies=["10.0.0.0/8"])


def remembered_of_what_was_forwarded() -> int:
    """How many answers are kept: of whole headers, and of the addresses in them."""
    return addresses._find_short.cache_info().currsize + networks._parse.remembered.cache_info().currsize


@pytest.mark.usefixtures("_proxied")
@pytest.mark.parametrize("name", [b"x-forwarded-for", b"x-real-ip"])
def test_what_somebody_who_is_no_proxy_of_ours_claims_is_not_remembered(name: bytes) -> None:
    assert conditions().address == CLIENT
    before = remembered_of_what_was_forwarded()
    for number in range(20):
        assert conditions((name, b"198.51.100.%d" % number)).address == CLIENT
    assert remembered_of_what_was_forwarded() == before


@pytest.mark.usefixtures("_proxied")
@pytest.mark.parametrize("name", [b"x-forwarded-for", b"x-real-ip"])
def test_of_what_a_proxy_of_ours_passes_on_only_what_is_short_is_remembered(name: bytes) -> None:
    assert conditions(forwarded(CLIENT), peer=PROXY).address == CLIENT
    before = remembered_of_what_was_forwarded()
    for number in range(20):
        assert conditions((name, b"%d" % number * 300), peer=PROXY).address == PROXY
    assert remembered_of_what_was_forwarded() == before
    short = conditions(forwarded(f"junk, {CLIENT}"), peer=PROXY)
    assert (short.address, addresses._find_short.cache_info().currsize) == (CLIENT, 2)


@pytest.mark.usefixtures("_proxied")
def test_a_long_way_over_proxies_ends_at_the_same_client() -> None:
    way = ", ".join(["198.51.100.1"] * 300 + [CLIENT, "10.1.1.1"])
    assert conditions(forwarded(way), peer=PROXY).address == CLIENT
    assert addresses._find_short.cache_info().currsize == 0


@pytest.mark.usefixtures("_proxied")
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["198.51.100.1", CLIENT], CLIENT),
        ([CLIENT, "10.1.1.1"], CLIENT),
        ([CLIENT, ""], PROXY),
        (["", CLIENT], CLIENT),
        ([""], PROXY),
        ([], PROXY),
    ],
)
def test_several_lines_of_proxies_are_read_as_one(lines: list[str], expected: str) -> None:
    headers = [(b"x-forwarded-for", line.encode()) for line in lines]
    assert addresses.find_behind(PROXY, headers) == expected
    real_ip = CLIENT if not lines else expected  # it counts only where nothing was forwarded
    assert addresses.find_behind(PROXY, [*headers, (b"x-real-ip", CLIENT.encode())]) == real_ip


@pytest.mark.parametrize(
    ("value", "takes"),
    [
        (None, False),
        (b"", False),
        (b"gzip", True),
        (b"br, gzip;q=0.5", True),
        (b"gzip, deflate, br, zstd", True),
        (b"br", False),
        (b"identity", False),
    ],
    ids=["none", "empty", "gzip", "second", "browser", "another", "identity"],
)
def test_gzip_is_taken_by_who_says_so(value: bytes | None, takes: bool) -> None:
    made = conditions() if value is None else conditions((b"accept-encoding", value))
    assert made.takes_gzip is takes


def test_a_page_of_an_allowed_origin_may_read_the_answer_and_what_it_exposes(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [OURS]
    found = dict(conditions((b"origin", OURS.encode())).cors)
    assert found[b"access-control-allow-origin"] == OURS.encode()
    exposed = found[b"access-control-expose-headers"].decode().split(", ")
    assert exposed == settings.CORS_EXPOSE_HEADERS
    assert b"vary" not in found


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", "http://dashboard.example", "https://dashboard.example:1"]
)
def test_a_page_of_another_origin_gets_nothing(settings: Settings, origin: str) -> None:
    settings.CORS_ALLOWED_ORIGINS = [OURS]
    made = conditions((b"origin", origin.encode()))
    assert made.is_plain
    assert made.cors == ()


def test_a_request_without_an_origin_gets_nothing(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [OURS]
    assert conditions().cors == ()


def test_the_rest_is_as_it_was_sent() -> None:
    made = conditions(
        (b"user-agent", b"tests/1"), (b"if-none-match", b'W/"\xe4"'), (b"x-request-id", b"req-12345")
    )
    assert made.agent == b"tests/1"
    assert (made.known, made.request_id) == ('W/"\xe4"', "req-12345")
    assert made.headers[0] == HOST
    bare = conditions()
    assert (bare.agent, bare.known, bare.request_id) == (b"", None, "")
    assert conditions((b"if-none-match", b"")).known == ""


def test_that_the_key_is_used_was_never_noted_at_first() -> None:
    assert conditions().noted_at_s == float("-inf")
