"""What Schemathesis cannot know of the values: networks in CIDR form, and moments that are still to come."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime

import schemathesis
from hypothesis import strategies

_NETWORKS = strategies.one_of(
    strategies.ip_addresses().map(str),
    strategies.tuples(strategies.ip_addresses(v=4), strategies.integers(8, 32)).map(
        lambda pair: str(ipaddress.ip_network(f"{pair[0]}/{pair[1]}", strict=False))
    ),
)
_MOMENTS = strategies.integers(1_893_456_000, 3_786_912_000).map(
    lambda epoch_s: datetime.fromtimestamp(epoch_s, UTC).isoformat()
)

schemathesis.openapi.format("ip-network", _NETWORKS)
schemathesis.openapi.format("date-time", _MOMENTS)
