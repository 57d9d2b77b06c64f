"""What all contenders of a scenario find: servers, keys, predictions that are kept up to date."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.http import keyring
from benchmarks.http.contenders import Contender
from benchmarks.http.supply import Supply, supplying
from benchmarks.http.wrk import Call
from benchmarks.side_by_side.feeding import make_symbols
from benchmarks.side_by_side.ground import Ground

_OTHERS = 10


@dataclass(frozen=True, slots=True)
class Needs:
    """How much of everything a scenario asks for.

    `are_updated` False: updates come in for other symbols than those that are asked for.
    """

    symbols: int
    keys: int = 1
    depth: int = 1
    are_updated: bool = True


@dataclass(frozen=True, slots=True)
class Stage:
    """Set up; each contender has its turn on it."""

    ground: Ground
    supply: Supply
    symbols: list[str]
    keys: dict[str, list[str]]

    def calls(self, contender: Contender, *, keys: int = 1, symbols: int | None = None) -> list[Call]:
        """Reads of one prediction that use so many keys and symbols evenly."""
        texts, names = self.keys[contender.key][:keys], self.symbols[:symbols]
        return [
            Call(
                f"/api/prediction/{names[n % len(names)]}",
                {"X-API-Key": texts[n % len(texts)], "Accept": "application/json"},
            )
            for n in range(math.lcm(len(texts), len(names)))
        ]


@contextlib.asynccontextmanager
async def staging(ground: Ground, needs: Needs) -> AsyncIterator[Stage]:
    """Make the keys, bring up the bridge, fill the stores."""
    # However long it takes: an answer is never stale, and every round answers the same.
    ground = replace(ground, environ=ground.environ | {"STALE_AFTER_S": "86400"})
    symbols = make_symbols(needs.symbols + _OTHERS)
    asked, others = symbols[: needs.symbols], symbols[needs.symbols :]
    kinds = {
        "unlimited": keyring.make(ground, "enterprise", needs.keys),
        "limited": keyring.make(ground, keyring.LIMITED, needs.keys),
    }
    keyring.register(ground, kinds["unlimited"])
    updated: Sequence[str] = asked if needs.are_updated else others
    async with supplying(ground, symbols, updated=updated, depth=needs.depth) as supply:
        yield Stage(ground, supply, asked, kinds)
