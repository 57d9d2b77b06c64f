"""A gateway to be fuzzed, and what is told of it at the end of `make fuzz`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gateway_project import embedded
from tests.conftest import surviving_stack
from tests.fuzzing.levels import Log
from tests.stack import Stack

SEED = int(os.environ.get("FUZZ_SEED", "20260729"))
"""All chance of a run comes from it."""

_told: list[str] = []


@dataclass(frozen=True)
class Target:
    """A gateway of these tests alone, its processes by role, where its bridge tells metrics, and its log."""

    stack: Stack
    processes: dict[str, subprocess.Popen[bytes]]
    bridge_url: str
    log: Log


@pytest.fixture(scope="session")
def seed() -> int:
    """What all chance of these tests comes from."""
    return SEED


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """All roles, with an explainer that is quick; at the end they live, and their log holds no trace."""
    path = tmp_path_factory.mktemp("fuzzing") / "log"
    environ = {
        "ACCESS_LOG": "true",
        "LOG_FORMAT": "json",
        "EXPLAINER": "tests.explanations.explainers.Good",
    }
    port = embedded.free_port()
    with surviving_stack(path, "bridge", "worker", environ=environ, ops_ports={"bridge": port}) as made:
        yield Target(*made, f"http://127.0.0.1:{port}", Log(path))


@pytest.fixture
def tell() -> list[str]:
    """Lines for the summary."""
    return _told


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was sent, and what came of it."""
    if _told:
        terminalreporter.section(f"fuzzing, FUZZ_SEED={SEED}")
        for line in _told:
            terminalreporter.write_line(line)
