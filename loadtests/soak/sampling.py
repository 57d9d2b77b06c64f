"""Samples of a site: each role's memory, files and threads, and how much the stores hold."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

from benchmarks.side_by_side import processes
from loadtests import stores
from loadtests.site import Site
from loadtests.soak.flatness import Kind, Series

# Tables that keep what happened: predictions with what came of them, orders with what was computed, logins
# and idempotency keys until they are pruned, keys that were renewed, the audit, usage by key, route and hour,
# changes of access for an hour. Every other table is flat: its rows go when they are done with, or there is
# one for each of something that a soak does not add to.
GROWING_TABLES = frozenset(
    {
        "access_changes",
        "accounts_auditevent",
        "accounts_refreshtoken",
        "accounts_tokenfamily",
        "accounts_usagehour",
        "api_keys",
        "explanations_computation",
        "explanations_explanationjob",
        "explanations_idempotencykey",
        "predictions_accuracyday",
        "predictions_outcome",
        "predictions_prediction",
    }
)
# Postgres holds its caches in shared memory, Valkey data of a bounded size in its own. NATS is judged at
# rest: under load it holds the blocks of 8 MB that it writes, at this rate for a quarter of an hour each.
_LEAKS: dict[str, Kind | None] = {
    **dict.fromkeys(("web", "bridge", "worker", "postgres", "valkey"), "memory"),
    "nats": None,
}
# Blocks that nobody reads or writes are let go after 10 s, ids of messages after two minutes.
_REST_S = 130.0


class Samples:
    """What was seen so far, by name."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._begun = time.monotonic()
        self._points: dict[tuple[str, Kind | None], list[tuple[float, float]]] = defaultdict(list)

    async def take(self) -> None:
        """One more of everything."""
        for role, pid in self._site.roles.items():
            memory = processes.memory_of(pid)
            self._note(f"{role}: own memory, MB", _LEAKS[role], memory.anonymous / 1024)
            self._note(f"{role}: PSS, MB", None, memory.proportional / 1024)
            self._note(f"{role}: open files", "files", processes.count_files_of_all(pid))
            self._note(f"{role}: threads", "threads", processes.count_threads(pid))
        ground = self._site.ground
        self._note("Valkey: keys", "keys", stores.count_valkey_keys(ground))
        self._note("Valkey: memory, MB", "valkey memory", stores.valkey_mb(ground))
        for table, (rows, size) in (await asyncio.to_thread(stores.tables, ground)).items():
            self._note(f"{table}: rows", None if table in GROWING_TABLES else "rows", rows)
            self._note(f"{table}: KB", None, size / 1024)
        for stream, count in (await stores.count_messages(ground)).items():
            self._note(f"NATS {stream}: messages", "messages", count)

    async def take_for(self, seconds: float, every_s: float) -> None:
        """Every `every_s`, for `seconds`."""
        begun = time.monotonic()
        for number in range(int(seconds / every_s) + 1):
            await asyncio.sleep(begun + number * every_s - time.monotonic())
            await self.take()

    async def nats_at_rest(self) -> float | None:
        """What NATS holds when it has had nothing to do, in MB; None where it does not tell."""
        if not (profile := self._site.ground.nats_profile):
            return None
        await asyncio.sleep(_REST_S)
        return await asyncio.to_thread(stores.nats_mb, profile)

    def series(self) -> list[Series]:
        """All that was seen."""
        return [Series(name, kind, points) for (name, kind), points in self._points.items()]

    def _note(self, name: str, kind: Kind | None, value: float) -> None:
        self._points[name, kind].append((time.monotonic() - self._begun, float(value)))
