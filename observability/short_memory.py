"""Answers that are remembered for what callers send, where that is short.

A cache bounds how many answers it holds. How long their questions are, strangers would decide: up to 64 KiB,
the longest head that is read. So a long question is worked out each time. Pure.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Generic, TypeVar

LONGEST = 256
"""Characters or bytes of a usual header or path, with room to spare."""

Asked = TypeVar("Asked", bound=str | bytes)
Answer = TypeVar("Answer")


class ShortMemory(Generic[Asked, Answer]):
    """`work_out`, whose answers to questions of at most `longest` are remembered: the `most` newest ones."""

    def __init__(self, work_out: Callable[[Asked], Answer], *, most: int, longest: int) -> None:
        self._work_out = work_out
        self._longest = longest
        self.remembered = functools.lru_cache(maxsize=most)(work_out)

    def __call__(self, asked: Asked) -> Answer:
        return self.remembered(asked) if len(asked) <= self._longest else self._work_out(asked)


def remember_short(
    most: int, *, longest: int = LONGEST
) -> Callable[[Callable[[Asked], Answer]], ShortMemory[Asked, Answer]]:
    """Decorate a function of one text: its answer must depend on nothing else, for as long as it runs."""
    return lambda work_out: ShortMemory(work_out, most=most, longest=longest)
