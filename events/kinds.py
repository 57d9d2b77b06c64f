"""Kinds of values that payloads, messages and answers have in common, with their bounds. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""With an offset; written in UTC."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""Of anything, or a place in a stream: what 64 bits hold."""

NotNegative = Annotated[float, msgspec.Meta(ge=0)]


def one_of(*words: str) -> msgspec.Meta:
    """What a schema says of a text that is one of `words`."""
    return msgspec.Meta(extra_json_schema={"enum": list(words)})
