"""What is measured, by name, in the order in which it runs."""

from __future__ import annotations

from loadtests.scenarios import cost, limit_of_generator, sockets, users

SCENARIOS = {
    scenario.name: scenario
    for scenario in (limit_of_generator.SCENARIO, *users.SCENARIOS, sockets.SCENARIO, cost.SCENARIO)
}
