"""What chance makes of bytes and of JSON: flipped bits, cut and doubled parts, broken UTF-8, odd values.

Pure: all chance comes from the `random.Random` that is given, so that one seed gives the same again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

BROKEN_UTF_8 = (b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x80")
"""Not a character, cut, too long a form, a surrogate, beyond Unicode, cut again, and a part alone."""

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    -0.0,
    5e-324,
    1.7976931348623157e308,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    2**64,
    10**400,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    " ",
    "NaN",
    "\x00",
    "\x1f\n\r",
    "\ud800",
    "\u202e",
    "\U0001f4a5",
    "%s%n{}$(id)",
    "'; DROP TABLE outbox; --",
    "x" * 65,
    "y" * 1_100,
    "z" * 5_000,
    "9999-12-31T23:59:59.999999-23:59",
    "0001-01-01T00:00:00+23:59",
    "2026-02-30T25:61:61Z",
    [],
    {},
    [[]],
    [None, 1, "a", {}],
    {"": ""},
    ["A"] * 1_001,
    {f"k{number}": number for number in range(1_001)},
)

ODD_STYLES: tuple[Any, ...] = (None, [], {}, [[[[]]]], -0.0, 2**70, "\U0001f4a5", "\x00", {"a": {"a": {}}})
"""Values of fields that nobody knows."""

# What `json.dumps` cannot write; it stands in a text in place of `_MARK`.
_RAW = (
    "1e999",
    "-1e-999",
    "1" + "0" * 5_000,
    "0." + "3" * 2_000,
    "01",
    "+1",
    ".5",
    "0x1F",
    "nul",
    "'a'",
    r'"\ud800"',
    r'"\u12"',
    "[" * 300 + "]" * 300,
    "[" * 10_000,
    '{"a":' * 3_000 + "1" + "}" * 3_000,
    "/* */ 1",
    "1,",
)
_MARK = "@raw@"


class Mutator:
    """Changes values by the chance of `random`."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._changes: tuple[Callable[[bytearray], None], ...] = (
            self._flip,
            self._flip,
            self._overwrite,
            self._insert,
            self._delete,
            self._double,
            self._cut,
            self._break_utf_8,
        )

    def change_bytes(self, data: bytes, *, most: int = 4) -> bytes:
        """`data` after 1 to `most` changes of some of its bytes."""
        changed = bytearray(data)
        for _ in range(self._random.randint(1, most)):
            self._random.choice(self._changes)(changed)
        return bytes(changed)

    def splice(self, one: bytes, other: bytes) -> bytes:
        """The beginning of `one` with an end of `other`."""
        return one[: self._place(one)] + other[self._place(other) :]

    def change_json(self, value: Any) -> bytes:
        """The JSON of `value` after 1 or 2 changes: another value, key or form somewhere in it."""
        changed = json.loads(json.dumps(value))
        for _ in range(self._random.randint(1, 2)):
            changed = self._change_node(changed)
        text = json.dumps(changed)
        if _MARK in text:
            text = text.replace(f'"{_MARK}"', self._random.choice(_RAW), 1)
        if self._random.random() < 0.1:
            text = self._repeat_key(text)
        return text.encode("utf-8", "surrogatepass")

    def restyle_json(self, value: dict[str, Any]) -> bytes:
        """The JSON of `value` as others write it: keys in another order, spaces, escapes, unknown fields."""
        names = list(value)
        self._random.shuffle(names)
        told = {name: value[name] for name in names}
        while self._random.random() < 0.5:
            told[f"more{self._random.randrange(9)}"] = self._random.choice(ODD_STYLES)
        indent = self._random.choice((None, 0, 3))
        text = json.dumps(told, indent=indent, ensure_ascii=self._random.random() < 0.5)
        if self._random.random() < 0.3:  # each letter may be told by its number
            text = text.replace("a", r"\u0061")
        return text.encode()

    def _change_node(self, value: Any) -> Any:
        """`value` with one node changed, at any depth."""
        random = self._random
        if value and isinstance(value, dict) and random.random() < 0.85:
            return self._change_object(value)
        if value and isinstance(value, list) and random.random() < 0.7:
            place = random.randrange(len(value))
            return [*value[:place], self._change_node(value[place]), *value[place + 1 :]]
        if type(value) in (int, float) and random.random() < 0.5:
            return random.choice((-value, value + 1, value * 1_000, value * 2**60, str(value)[:50]))
        if isinstance(value, str) and random.random() < 0.5:
            return self.change_bytes(value.encode("utf-8", "replace")).decode("utf-8", "replace")
        return _MARK if random.random() < 0.2 else random.choice(ODD_VALUES)

    def _change_object(self, value: dict[str, Any]) -> dict[str, Any]:
        random = self._random
        name = random.choice(list(value))
        dice = random.random()
        if dice < 0.1:
            return {key: one for key, one in value.items() if key != name}
        if dice < 0.2:
            return {**value, random.choice(("", name.upper(), "x" * 200, "\x00")): value[name]}
        if dice < 0.3:  # the values of two names change places
            other = random.choice(list(value))
            return {**value, name: value[other], other: value[name]}
        return {**value, name: self._change_node(value[name])}

    def _repeat_key(self, text: str) -> str:
        """An object that names one key twice; which of them counts is the reader's affair."""
        name, _, rest = text.lstrip("{").partition(":")
        return f"{{{name}:{self._random.choice(('1', 'null', '[]'))},{name}:{rest}" if rest else text

    def _place(self, data: bytes | bytearray) -> int:
        return self._random.randrange(len(data) + 1)

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)

    def _overwrite(self, data: bytearray) -> None:
        if data:
            data[self._random.randrange(len(data))] = self._random.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))

    def _insert(self, data: bytearray) -> None:
        place = self._place(data)
        data[place:place] = self._random.randbytes(self._random.randint(1, 8))

    def _delete(self, data: bytearray) -> None:
        place = self._place(data)
        del data[place : place + self._random.randint(1, 8)]

    def _double(self, data: bytearray) -> None:
        start, end = sorted((self._place(data), self._place(data)))
        data[end:end] = data[start : min(end, start + 200)]

    def _cut(self, data: bytearray) -> None:
        del data[self._place(data) :]

    def _break_utf_8(self, data: bytearray) -> None:
        place = self._place(data)
        data[place:place] = self._random.choice(BROKEN_UTF_8)
