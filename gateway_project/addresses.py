"""Who is behind a request, and how it came, whatever proxies of ours stand in between."""

from __future__ import annotations

import functools
from typing import Any

from django.conf import settings

from accounts import networks

RawHeaders = list[tuple[bytes, bytes]]


def find(scope: dict[str, Any]) -> str:
    """The address of whoever has sent what `scope` describes."""
    client = scope.get("client")
    return find_behind(client[0] if client else None, scope["headers"])


def find_behind(peer: str | None, headers: RawHeaders) -> str:
    """As `find`, from the address of the connection's other end and the headers that came over it."""
    if not settings.GATEWAY.trusted_proxies:
        return _find(peer, (), None)
    forwarded = tuple(value for name, value in headers if name == b"x-forwarded-for")
    real_ip = next((value for name, value in headers if name == b"x-real-ip"), None)
    return _find(peer, forwarded, real_ip)


def scheme_of(scope: dict[str, Any]) -> str:
    """As `find_scheme`, of what `scope` describes."""
    client = scope.get("client")
    return find_scheme(scope.get("scheme", "http"), client[0] if client else None, scope["headers"])


def find_scheme(scheme: str, peer: str | None, headers: RawHeaders) -> str:
    """`https` if the client came so, `http` if not: over a connection of `scheme`, or by a proxy of ours.

    A proxy is believed with FORWARDED_PROTO alone, and only if there is one word about it.
    """
    config = settings.GATEWAY
    if scheme == "https" or not config.forwarded_proto or peer is None:
        return scheme
    said = [value for name, value in headers if name == b"x-forwarded-proto"]
    is_ours = networks.allows(tuple(config.trusted_proxies), peer)
    return "https" if is_ours and said == [b"https"] else "http"


@functools.lru_cache(maxsize=16_384)
def _find(peer: str | None, forwarded: tuple[bytes, ...], real_ip: bytes | None) -> str:
    return networks.client_address(
        peer,
        [value.decode("latin-1") for value in forwarded],
        (real_ip or b"").decode("latin-1"),
        settings.GATEWAY.trusted_proxies,
    )
