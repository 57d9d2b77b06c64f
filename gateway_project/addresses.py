"""Who is behind a request, and how it came, whatever proxies of ours stand in between."""

from __future__ import annotations

import functools
from typing import Any

from django.conf import settings

from accounts import networks
from observability.short_memory import LONGEST

RawHeaders = list[tuple[bytes, bytes]]


def find(scope: dict[str, Any]) -> str:
    """The address of whoever has sent what `scope` describes."""
    client = scope.get("client")
    return find_behind(client[0] if client else None, scope["headers"])


def find_behind(peer: str | None, headers: RawHeaders) -> str:
    """As `find`, from the address of the connection's other end and the headers that came over it."""
    trusted = tuple(settings.GATEWAY.trusted_proxies)
    if not _is_ours(peer, trusted):
        return _find_peer(peer)
    lines = [value for name, value in headers if name == b"x-forwarded-for"]
    forwarded = b",".join(lines) if lines else None
    # Counts only where nothing was forwarded.
    real_ip = None if lines else next((value for name, value in headers if name == b"x-real-ip"), None)
    find_it = _find_short if len(forwarded or real_ip or b"") <= LONGEST else _find
    return find_it(peer, forwarded, real_ip, trusted)


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
    is_ours = _is_ours(peer, tuple(config.trusted_proxies))
    return "https" if is_ours and said == [b"https"] else "http"


@functools.lru_cache(maxsize=16_384)
def _is_ours(peer: str | None, trusted: tuple[str, ...]) -> bool:
    return bool(trusted) and networks.allows(trusted, peer or "")


@functools.lru_cache(maxsize=16_384)
def _find_peer(peer: str | None) -> str:
    return networks.client_address(peer, (), None, ())


def _find(peer: str | None, forwarded: bytes | None, real_ip: bytes | None, trusted: tuple[str, ...]) -> str:
    return networks.client_address(
        peer,
        () if forwarded is None else (forwarded.decode("latin-1"),),
        (real_ip or b"").decode("latin-1"),
        trusted,
    )


# A proxy passes on what its client has written, of any length.
_find_short = functools.lru_cache(maxsize=16_384)(_find)
