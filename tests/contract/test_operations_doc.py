"""docs/OPERATIONS.md has every metric and probe of the code; docs/ARCHITECTURE.md what probes say."""

from __future__ import annotations

import re

import pytest
from prometheus_client.metrics import MetricWrapperBase

from gateway_project import health
from gateway_project.settings import BASE_DIR
from observability import metrics, probes

ARCHITECTURE = (BASE_DIR / "docs/ARCHITECTURE.md").read_text()
OPERATIONS = (BASE_DIR / "docs/OPERATIONS.md").read_text()


def row_of(metric: MetricWrapperBase) -> str:
    """The row that the table must have."""
    name = metric._name + ("_total" if metric._type == "counter" else "")
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)
    return f"| `{name}` | {metric._type} | {labels} | {metric._documentation} |"


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    wanted = [row_of(one) for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]
    found = re.findall(r"^\| `pgw_.*$", OPERATIONS, re.MULTILINE)
    assert found == wanted, "write the rows of docs/OPERATIONS.md as they are in observability/metrics.py"


def test_every_probe_is_told() -> None:
    table = OPERATIONS.partition("## Probes\n\n")[2].partition("\n\n")[0]
    told = {
        path for cell in re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE) for path in cell.split("`")[1::2]
    }
    assert told == health.PATHS | {"/version"}


ROLES = ("web", "ws", "bridge", "worker")


@pytest.mark.parametrize(
    ("told", "name"), [("nothing", ""), ("Redis", "redis"), ("Postgres", "database"), ("NATS", "nats")]
)
def test_what_probes_say_while_something_is_away_is_that_of_the_code(told: str, name: str) -> None:
    ready = ["503" if name in probes.NEEDED[role] else "200" for role in ROLES]
    health = (
        "503 `unhealthy`" if name in probes.NEEDED["web"] else "200 `degraded`" if name else "200 `healthy`"
    )
    assert f"| {told} | {' | '.join(ready)} | {health} |" in ARCHITECTURE


@pytest.mark.parametrize("role", ROLES)
def test_a_role_needs_nothing_that_the_table_has_not(role: str) -> None:
    assert probes.NEEDED[role] <= {"redis", "database", "nats"}
    assert probes.NEEDED["all"] == probes.NEEDED["web"]
