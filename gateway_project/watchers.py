"""Who reads `/metrics` by their address: somebody of METRICS_NETWORKS, and nobody whom a proxy hides.

A proxy on this machine that TRUSTED_PROXIES does not name makes everybody a neighbour: all that comes through
it comes from 127.0.0.1. So without TRUSTED_PROXIES whoever calls from this machine counts as a proxy if

1. a header says that something was passed on (`PASSED_ON`);
2. or the host that was asked for is a name of the network: a neighbour asks for localhost or an address;
3. or it speaks HTTP/1.0, as nginx does to what is behind it unless it is told otherwise.

A proxy that hides all three cannot be told from a neighbour; docs/SECURITY.md says what to do about it.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from django.conf import settings

from accounts import networks

PASSED_ON = frozenset(
    {
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-forwarded-server",
        b"x-real-ip",
        b"x-client-ip",
        b"forwarded",
        b"via",
    }
)
_LOOPBACK = ("127.0.0.0/8", "::1/128")


def is_watcher(scope: dict[str, Any], address: str) -> bool:
    """Whether the request that `scope` describes may read metrics because it comes from `address`."""
    allowed = tuple(settings.GATEWAY.metrics_networks)
    if not allowed or not networks.allows(allowed, address):
        return False
    return bool(settings.GATEWAY.trusted_proxies) or not _is_passed_on(scope, address)


def _is_passed_on(scope: dict[str, Any], address: str) -> bool:
    headers = scope["headers"]
    if any(name in PASSED_ON for name, _ in headers):
        return True
    if not networks.allows(_LOOPBACK, address):
        return False
    host = next((value for name, value in headers if name == b"host"), b"")
    return scope["http_version"] == "1.0" or not _is_of_this_machine(host.decode("latin-1"))


def _is_of_this_machine(host: str) -> bool:
    """True for localhost and for addresses, with a port or without."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
