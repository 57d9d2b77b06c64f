"""What Schemathesis cannot know of the values: networks, moments that are still to come, room in a head.

And what was answered: a file with a count of statuses for each operation. Its own reports hold all bodies.
"""

from __future__ import annotations

import atexit
import ipaddress
import json
import os
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
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

_answers: defaultdict[str, Counter[int]] = defaultdict(Counter)


def _write_answers_to(path: Path) -> None:
    path.write_text(json.dumps(_answers))


if "FUZZ_ANSWERS" in os.environ:
    atexit.register(_write_answers_to, Path(os.environ["FUZZ_ANSWERS"]))

schemathesis.openapi.format("ip-network", _NETWORKS)
schemathesis.openapi.format("date-time", _MOMENTS)


@schemathesis.hook
def filter_case(_: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """The document promises room for 60,000 characters in a header; what fits beyond that is no error."""
    return all(len(str(value)) <= 60_000 for value in (case.headers or {}).values())


@schemathesis.hook
def after_call(
    _: schemathesis.HookContext, case: schemathesis.Case[Any], response: schemathesis.Response
) -> None:
    """Count the answer, unless it was called with the method of another operation or of none."""
    if case.method.upper() == case.operation.method.upper():
        _answers[case.operation.definition.raw["operationId"]][response.status_code] += 1
