"""The channel-layer message that tells every hub what became of explanations. Pure.

One message holds what one batch of the bridge has changed, in order: ``[computation, symbol, kind, JSON
body]``, and the trace that it belongs to, if there is one. A lost message is made good by asking: a job's
state is in the database, and its watchers may read it there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

GROUP = "explanations"
TYPE = "explanations.news"

Kind = Literal["explanation_progress", "explanation_completed", "explanation_failed"]


@dataclass(frozen=True, slots=True)
class News:
    """What became of the computation `computation_id`; `body` holds the fields of the frame, encoded once."""

    computation_id: str
    symbol: str
    kind: Kind
    body: bytes
    trace: str = ""
    """What `observability.tracing` carries; empty where nothing is traced."""

    @property
    def is_final(self) -> bool:
        """True where nothing follows."""
        return self.kind != "explanation_progress"


def news_of(computation_id: str, symbol: str, kind: Kind, /, **fields: Any) -> News:
    """The news with `fields`, which must be JSON."""
    return News(computation_id, symbol, kind, msgspec.json.encode(fields))


def encode(told: Iterable[News]) -> dict[str, Any]:
    """The message for the channel layer."""
    return {"type": TYPE, "news": [_fields(one) for one in told]}


def _fields(one: News) -> list[str | bytes]:
    fields: list[str | bytes] = [one.computation_id, one.symbol, one.kind, one.body]
    # Only where there is one: hubs of an earlier release know four fields.
    return [*fields, one.trace] if one.trace else fields


def decode(message: dict[str, Any]) -> list[News]:
    """Read a message of `encode`; KeyError, TypeError or ValueError for anything else."""
    if message["type"] != TYPE:
        raise ValueError(f"no news: {message['type']!r}")
    return [News(*fields) for fields in message["news"]]
