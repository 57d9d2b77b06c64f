"""Addresses: who calls behind proxies, who shares a counter, and where a key may come from. Pure."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Sequence

from observability.short_memory import remember_short

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNKNOWN = "unknown"
"""Stands for a peer without an address, such as one on a Unix socket."""

MOST_NETWORKS = 50
# Of IPv6 with IPv4 at its end: 45, and the name of a zone.
_LONGEST_ADDRESS = 64
_MOST_HOPS = 32
_MAPPED_PREFIX = 96  # ::ffff:0:0/96 holds the IPv4 addresses


class MalformedNetwork(ValueError):
    """The text is no network in CIDR form; the message says what would be."""


def client_address(
    peer: str | None, forwarded_for: Sequence[str], real_ip: str | None, trusted: Sequence[str]
) -> str:
    """The address of the client behind `peer`.

    `forwarded_for` are all X-Forwarded-For lines in their order, `trusted` the networks of our proxies. Only
    a trusted peer's word counts; then it is the right-most hop that is not a proxy of ours, since everything
    to the left of it was written by somebody we do not know; of the last 32 hops. X-Real-IP counts where
    X-Forwarded-For is absent.
    """
    address = _parse(peer or "")
    if address is None:
        return UNKNOWN
    if not trusted or not _is_inside(address, parse_networks(tuple(trusted))):
        return str(address)
    hops = ",".join(forwarded_for).rsplit(",", _MOST_HOPS)[-_MOST_HOPS:] if forwarded_for else [real_ip or ""]
    for hop in reversed(hops):
        before = _parse(_without_port(hop.strip()))
        if before is None:
            break
        address = before
        if not _is_inside(address, parse_networks(tuple(trusted))):
            break
    return str(address)


@functools.lru_cache(maxsize=16_384)
def block_of(address: str) -> str:
    """What shares a counter with `address`: an IPv4 address alone, an IPv6 address with its /64."""
    parsed = _parse(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
    return UNKNOWN if parsed is None else str(parsed)


@functools.lru_cache(maxsize=4096)
def parse_networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """The networks of `texts`; raises `MalformedNetwork`."""
    return tuple(map(_parse_network, texts))


def check_networks(texts: Iterable[str]) -> list[str]:
    """`texts` in their normal form, without duplicates; raises `MalformedNetwork`."""
    networks = list(dict.fromkeys(str(_parse_network(text.strip())) for text in texts))
    if len(networks) > MOST_NETWORKS:
        raise MalformedNetwork(f"more than {MOST_NETWORKS} networks")
    return networks


def allows(networks: tuple[str, ...], address: str) -> bool:
    """True if `address` is inside one of `networks`, or if there are none."""
    if not networks:
        return True
    parsed = _parse(address)
    return parsed is not None and _is_inside(parsed, parse_networks(networks))


def _parse_network(text: str) -> Network:
    if "%" in text:
        raise MalformedNetwork("a network has no zone; write networks as 203.0.113.0/24 or 2001:db8::/32")
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise MalformedNetwork(f"{error}; write networks as 203.0.113.0/24 or 2001:db8::/32") from None
    # Addresses lose this form in `_parse`, so a network that kept it would hold none of them.
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= _MAPPED_PREFIX:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((int(mapped), network.prefixlen - _MAPPED_PREFIX))
    return network


@remember_short(16_384, longest=_LONGEST_ADDRESS)
def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or ipaddress.IPv6Address(int(address))
    return address


def _without_port(hop: str) -> str:
    """Some proxies write ``203.0.113.7:4711`` or ``[2001:db8::1]:4711``."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _is_inside(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
