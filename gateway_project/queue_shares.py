"""What one address may have of a queue, so that it cannot keep all others out; what is beyond is refused.

An address is what limits count as one: of IPv6 its /64. Whoever holds nothing is not remembered.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from accounts.networks import block_of
from gateway_project.admission import Refused


class QueueShares:
    """The places of one queue by address, `most` for each; who comes beyond is to come back in `retry_s`."""

    def __init__(self, most: int, *, retry_s: int) -> None:
        self._most = most
        self._retry_s = retry_s
        self._held: Counter[str] = Counter()

    @contextlib.contextmanager
    def hold(self, address: str) -> Iterator[None]:
        """Have one of the places of `address`; raises `Refused`."""
        block = block_of(address)
        if self._held[block] >= self._most:
            raise overloaded(self._retry_s)
        self._held[block] += 1
        try:
            yield
        finally:
            self._held[block] -= 1
            if not self._held[block]:
                del self._held[block]

    def __len__(self) -> int:
        """How many addresses are remembered."""
        return len(self._held)


def overloaded(retry_s: int) -> Refused:
    """503: too many wait here, or too many of one address."""
    return Refused("OVERLOADED", headers=[("Retry-After", str(retry_s))], retry_after=retry_s)
