"""Turning pages lazily: which page to ask for next, and what of it is wanted. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from prediction_gateway.calls import MOST_A_PAGE, Call
from prediction_gateway.models import Page

T = TypeVar("T")


class Pages(Generic[T]):
    """The pages of one listing, of which `limit` entries are wanted (None: all).

    `ask` makes the call for a page of so many entries, from a cursor on.
    """

    def __init__(
        self, ask: Callable[[int, str | None], Call[Page[T]]], *, limit: int | None, page_size: int
    ) -> None:
        if not 1 <= page_size <= MOST_A_PAGE:
            raise ValueError(f"page_size must be from 1 to {MOST_A_PAGE}")
        if limit is not None and limit < 0:
            raise ValueError("limit must not be negative")
        self._ask = ask
        self._left = limit
        self._page_size = page_size
        self._cursor: str | None = None
        self._is_over = limit == 0

    def next_call(self) -> Call[Page[T]] | None:
        """The call for the next page; None when there is none, or no more is wanted."""
        if self._is_over:
            return None
        size = self._page_size if self._left is None else min(self._page_size, self._left)
        return self._ask(size, self._cursor)

    def take(self, page: Page[T]) -> list[T]:
        """What of `page` is wanted."""
        wanted = page.data if self._left is None else page.data[: self._left]
        if self._left is not None:
            self._left -= len(wanted)
        self._cursor = page.next
        self._is_over = page.next is None or not page.has_more or self._left == 0
        return wanted
