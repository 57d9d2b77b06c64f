"""What is measured: each scenario is a module with its name, its columns and its `measure`."""

from __future__ import annotations

from benchmarks.sockets.scenario import Scenario
from benchmarks.sockets.scenarios import (
    bridge,
    burst,
    churn,
    connect,
    latest,
    memory,
    reconnect,
    steady,
    two_workers,
)

SCENARIOS: dict[str, Scenario] = {
    module.SCENARIO.name: module.SCENARIO
    for module in (steady, burst, connect, churn, reconnect, memory, latest, two_workers, bridge)
}
