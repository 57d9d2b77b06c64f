"""Which labels are lengths of time: ``1d``, ``4h``, ``30 minutes``, ISO 8601 as in ``P1D`` or ``PT4H``. Pure.

Months and years have no fixed length, and a pipeline may name its horizons as it likes: what is no length
has no end, and so no outcome.
"""

from __future__ import annotations

import re
from datetime import timedelta

LONGEST = timedelta(days=3660)
"""Ten years; whatever is longer is taken for no length."""

_UNITS_S = {
    "s sec secs second seconds": 1,
    "m min mins minute minutes": 60,
    "h hr hrs hour hours": 3600,
    "d day days": 86_400,
    "w wk wks week weeks": 604_800,
}
_SECONDS_OF = {name: seconds for names, seconds in _UNITS_S.items() for name in names.split()}
_PLAIN = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) ?([a-zA-Z]+)", re.ASCII)
_PART = r"(\d{{1,9}}(?:\.\d{{1,6}})?){}"
_ISO = re.compile(
    f"P(?:{_PART.format('W')})?(?:{_PART.format('D')})?"
    f"(?:T(?:{_PART.format('H')})?(?:{_PART.format('M')})?(?:{_PART.format('S')})?)?",
    re.ASCII,
)
_ISO_S = (604_800, 86_400, 3600, 60, 1)


def read_length(label: str) -> timedelta | None:
    """The length that `label` names, above 0 and at most `LONGEST`; None where it names none.

    Upper and lower case are the same, but for ``M``, which is a month to many: ``30M`` is no length.
    """
    seconds = _plain_s(label)
    if seconds is None:
        seconds = _iso_s(label)
    if seconds is None or not 0 < seconds <= LONGEST.total_seconds():
        return None
    return timedelta(seconds=seconds)


def _plain_s(label: str) -> float | None:
    match = _PLAIN.fullmatch(label)
    if match is None or match[2] == "M":
        return None
    unit_s = _SECONDS_OF.get(match[2].lower())
    return None if unit_s is None else float(match[1]) * unit_s


def _iso_s(label: str) -> float | None:
    match = _ISO.fullmatch(label)
    if match is None or label.endswith("T"):
        return None
    return sum(float(text) * unit_s for text, unit_s in zip(match.groups(), _ISO_S, strict=True) if text)
