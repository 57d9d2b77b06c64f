"""No dead panel: every query is PromQL on metrics that there are, and every panel says what is normal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import expressions
from tests.deploy.test_alerts import RECORDED, RUNBOOK

GRAFANA = Path(__file__).resolve().parents[2] / "docker/grafana"
DASHBOARDS = {path.name: json.loads(path.read_text()) for path in sorted(GRAFANA.glob("dashboards/*.json"))}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
VARIABLES = {"datasource", "job", "instance", "docs"}


def panels_of(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel that shows something, also those in rows that are closed."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in panels_of(dashboard)
]


def anchors() -> set[str]:
    """Where a link into the runbook may lead."""
    headings = re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("panel", PANELS)
def test_every_query_of_a_panel_asks_for_what_there_is(
    panel: dict[str, Any], live_metrics: set[str], exposed: expressions.Exposed
) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        assert expressions.complaints(target["expr"], live_metrics, RECORDED) == [], target["expr"]
        assert expressions.strange_values(target["expr"], exposed) == [], target["expr"]
        assert target["legendFormat"]


@pytest.mark.parametrize("panel", PANELS)
def test_quantiles_are_taken_of_sums_by_le(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        quantiles = target["expr"].count("histogram_quantile(")
        assert len(re.findall(r"histogram_quantile\([\d.]+, sum by \(le[,)]", target["expr"])) == quantiles


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_in_which_unit_and_where_to_read_on(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == SOURCE
    assert all(target["datasource"] == SOURCE for target in panel["targets"])
    for link in panel["links"]:
        address, _, anchor = link["url"].partition("#")
        assert address == "${docs}/RUNBOOK.md"
        assert anchor in anchors(), f"docs/RUNBOOK.md has no heading for #{anchor}"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_variables_are_known_and_their_queries_too(name: str, live_metrics: set[str]) -> None:
    dashboard = DASHBOARDS[name]
    variables = {one["name"]: one for one in dashboard["templating"]["list"]}
    assert variables.keys() == VARIABLES
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(dashboard)))
    assert used == VARIABLES
    for one in variables.values():
        if one["type"] == "query":
            asked = re.fullmatch(r"label_values\((.*), (\w+)\)", one["definition"])
            assert asked is not None
            assert expressions.complaints(asked[1], live_metrics) == []
            assert one["query"]["query"] == one["definition"]
    for note in dashboard["annotations"]["list"]:
        if "expr" in note:
            assert expressions.complaints(note["expr"], live_metrics) == []


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_have_places_of_their_own(name: str) -> None:
    everything = list(DASHBOARDS[name]["panels"])
    assert len({panel["id"] for panel in everything}) == len(everything)
    taken: dict[tuple[int, int], str] = {}
    for panel in everything:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def test_every_metric_of_the_gateway_is_on_a_panel() -> None:
    text = json.dumps([panel["targets"] for one in DASHBOARDS.values() for panel in panels_of(one)])
    unseen = [name for name in expressions.METRICS if not re.search(rf"\b{name}(_bucket)?\b", text)]
    assert unseen == []


def test_every_panel_that_the_runbook_names_exists() -> None:
    prose = re.sub(r"```.*?```|`[^`\n]+`", "", RUNBOOK, flags=re.DOTALL)
    named = set(re.findall(r'"([A-Z][^"]+)"', " ".join(prose.split())))
    shown = {panel["title"] for one in DASHBOARDS.values() for panel in panels_of(one)}
    variables = {one["label"] for board in DASHBOARDS.values() for one in board["templating"]["list"]}
    assert "Errors by route" in named
    assert named - shown - variables - {board["title"] for board in DASHBOARDS.values()} == set()


def provisioned(name: str, part: str) -> dict[str, Any]:
    """The one thing of its kind that Grafana is told at its start."""
    [told] = yaml.safe_load((GRAFANA / "provisioning" / name).read_text())[part]
    return dict(told)


def test_grafana_finds_the_source_and_the_dashboards_by_themselves() -> None:
    source = provisioned("datasources/prometheus.yaml", "datasources")
    provider = provisioned("dashboards/dashboards.yaml", "providers")
    assert source["type"] == "prometheus"
    assert source["editable"] is False
    assert provider["allowUiUpdates"] is False
    for dashboard in DASHBOARDS.values():
        assert dashboard["uid"]
        assert dashboard["editable"] is False
        chosen = next(one for one in dashboard["templating"]["list"] if one["type"] == "datasource")
        assert chosen["current"]["value"] == source["uid"]
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS) > 0
