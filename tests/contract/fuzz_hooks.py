"""What Schemathesis cannot know of the values: networks, moments that are still to come, room in a head."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from typing import Any

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


@schemathesis.hook
def filter_case(_: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """The document promises room for 60,000 characters in a header; what fits beyond that is no error."""
    return all(len(str(value)) <= 60_000 for value in (case.headers or {}).values())
