"""What the headers of a request say that matters to a hot read, worked out once for all that have the same.

Whatever they do is decided by Django's and DRF's own functions.
"""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from rest_framework.exceptions import NotAcceptable
from rest_framework.request import Request

from accounts import credentials, keys
from accounts.access import Need
from accounts.callers import Caller
from accounts.credentials import CredentialRefused
from gateway_project import addresses, cors, security_headers
from gateway_project.addresses import RawHeaders
from gateway_project.house_headers import Pair
from observability import request_context, tracing
from observability.short_memory import remember_short
from predictions import compression, rendering
from predictions.negotiation import UsualNegotiation

# With one of these there is a body, or something to agree upon first.
_NOT_PLAIN = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
# Django answers what it makes of these: it takes a bad one back.
_OWN_COOKIES = (settings.SESSION_COOKIE_NAME.encode(), settings.CSRF_COOKIE_NAME.encode())


class Conditions:
    """`is_plain` is False where anything is unusual; the rest is then not there."""

    __slots__ = (
        "_address",
        "_asked",
        "_digest",
        "_peer",
        "agent",
        "cors",
        "headers",
        "hsts",
        "is_plain",
        "is_traced",
        "known",
        "noted_at_s",
        "permitted",
        "request_id",
        "takes_gzip",
    )

    agent: bytes
    cors: tuple[Pair, ...]
    # What belongs to an answer over https.
    hsts: tuple[Pair, ...]
    # True where the request belongs to a trace, which is for the rim.
    is_traced: bool
    # What the caller has already, as in ``If-None-Match``.
    known: str | None
    # When it was noted that the key is used, by `time.perf_counter`.
    noted_at_s: float
    # Who was let through to what by `accounts.access` last.
    permitted: tuple[Caller, Need] | None
    request_id: str
    takes_gzip: bool

    def __init__(self, headers: RawHeaders, peer: str | None, scheme: str | None = "http") -> None:
        self.headers = headers
        self._peer = peer
        self._address: str | None = None
        self._digest: str | None = None
        self._asked = asked = dict(headers)
        self.is_plain = _are_plain(headers, asked)
        if not self.is_plain:
            return
        self.agent = asked.get(b"user-agent", b"")
        self.cors = _cors(asked[b"origin"]) if b"origin" in asked else ()
        self.hsts = security_headers.of_scheme(addresses.find_scheme(scheme or "http", peer, headers))
        self.is_traced = tracing.RAW_HEADER in asked and tracing.is_on()
        self.noted_at_s = float("-inf")
        self.permitted = None
        known = asked.get(b"if-none-match")
        self.known = None if known is None else known.decode("latin-1")
        self.request_id = asked.get(request_context.RAW_HEADER, b"").decode("latin-1")
        self.takes_gzip = compression.accepts_gzip(asked.get(b"accept-encoding", b"").decode("latin-1"))

    @property
    def address(self) -> str:
        """That of the client."""
        if self._address is None:
            self._address = addresses.find_behind(self._peer, self.headers)
        return self._address

    @property
    def digest(self) -> str:
        """That of the key; empty where none was sent."""
        if self._digest is None:
            self._digest = _find_digest(self._asked)
        return self._digest


def _are_plain(headers: RawHeaders, asked: dict[bytes, bytes]) -> bool:
    cookie, host = asked.get(b"cookie", b""), asked.get(b"host")
    return (
        len(asked) == len(headers)
        and _NOT_PLAIN.isdisjoint(asked)
        and not any(name in cookie for name in _OWN_COOKIES)
        and host is not None
        and _is_our_host(host)
        and (b"accept" not in asked or _accepts_json(asked[b"accept"]))
    )


def _find_digest(asked: dict[bytes, bytes]) -> str:
    api_key, authorization = asked.get(b"x-api-key"), asked.get(b"authorization")
    try:
        credential = credentials.choose_credential(
            None if api_key is None else api_key.decode("latin-1"),
            None if authorization is None else authorization.decode("latin-1"),
        )
    except CredentialRefused:
        return ""
    return keys.digest_key(credential) if credential else ""


@remember_short(1024)
def _accepts_json(accept: bytes) -> bool:
    request = HttpRequest()
    request.META["HTTP_ACCEPT"] = accept.decode("latin-1")
    try:
        UsualNegotiation().select_renderer(Request(request), [rendering.JSONRenderer()])
    except NotAcceptable:
        return False
    return True


@remember_short(1024)
def _is_our_host(host: bytes) -> bool:
    request = HttpRequest()
    request.META["HTTP_HOST"] = host.decode("latin-1")
    try:
        request.get_host()
    except DisallowedHost:
        return False
    return True


@remember_short(1024)
def _cors(origin: bytes) -> tuple[Pair, ...]:
    """What a page of `origin` needs to read the answer; the answers vary by origin anyway."""
    found = cors.headers_for("/api/", [(b"origin", origin)])
    return tuple(pair for pair in found if pair[0] != b"vary")
