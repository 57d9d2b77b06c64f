"""What is measured: each scenario is a module with its name, its columns and its `measure`."""

from __future__ import annotations

from benchmarks.http.scenario import Scenario
from benchmarks.http.scenarios import (
    batch,
    connections,
    drf,
    keys,
    reads,
    revalidation,
    start,
    symbols,
)

SCENARIOS: dict[str, Scenario] = {
    module.SCENARIO.name: module.SCENARIO
    for module in (reads, revalidation, symbols, keys, connections, batch, start, drf)
}
