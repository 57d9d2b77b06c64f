"""Every alert asks for what there is, is proven to fire and not to, and has its section in the runbook."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from gateway_project import django_metrics
from observability import metrics
from tests.deploy import expressions

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docker/prometheus"
RUNBOOK = (ROOT / "docs/RUNBOOK.md").read_text()
GROUPS = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED: dict[str, frozenset[str]] = {rule["record"]: frozenset() for rule in RULES if "record" in rule}
# Of django-prometheus, what the models count; its cache is never read, so nothing counts there.
OURS = ("pgw_", "django_model_", "django_cache_")
TESTS = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_metrics_and_labels_that_there_are(
    rule: dict[str, Any], live_metrics: set[str], exposed: expressions.Exposed
) -> None:
    assert expressions.complaints(rule["expr"], live_metrics, RECORDED) == []
    assert expressions.strange_values(rule["expr"], exposed) == []


@pytest.mark.parametrize("series", sorted({one["series"] for case in TESTS for one in case["input_series"]}))
def test_an_invented_series_looks_like_a_real_one(
    series: str, live_metrics: set[str], exposed: expressions.Exposed
) -> None:
    assert expressions.complaints(series, live_metrics) == []
    assert expressions.strange_values(series, exposed) == []


def test_every_alert_has_a_name_of_its_own() -> None:
    assert len(ALERTS) == sum("alert" in rule for rule in RULES)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_what_it_means_and_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert re.fullmatch(r"\d+[mh]", rule["for"])
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert all(rule["annotations"].values())
    assert rule["annotations"]["runbook_url"] == "{{ $externalLabels.docs }}/RUNBOOK.md#" + name.lower()


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_section_in_the_runbook(name: str) -> None:
    section = re.search(rf"^### {name}$(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert section is not None, f"docs/RUNBOOK.md has no heading {name}"
    for word in ("**Means**", "**See**", "**Do**", "**Wake**"):
        assert word in section[1], f"{name} lacks {word}"
    wakes = ALERTS[name]["labels"]["severity"] == "page"
    assert ("**Wake**: at once" in section[1]) is wakes, f"{name}: is it a page?"


def test_the_runbook_has_no_section_of_an_alert_that_there_is_not() -> None:
    part = RUNBOOK.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    assert re.findall(r"^### (.*)$", part, re.MULTILINE) == list(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_seen_to_fire_and_not_to_fire(name: str) -> None:
    looks = [
        (place, look["eval_time"], look.get("exp_alerts") or [])
        for place, case in enumerate(TESTS)
        for look in case["alert_rule_test"]
        if look["alertname"] == name
    ]
    fires = {place for place, _, alerts in looks if alerts}
    silent = {place for place, _, alerts in looks if not alerts}
    assert fires, f"alerts_test.yml never sees {name} fire"
    assert fires <= silent, f"alerts_test.yml does not look at {name} before its time"
    assert silent - fires, f"alerts_test.yml has no case in which {name} stays silent"
    for _, _, alerts in looks:
        for alert in alerts:
            assert alert["exp_annotations"].keys() == ALERTS[name]["annotations"].keys()


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_agrees(arguments: tuple[str, ...], promtool: str) -> None:
    done = subprocess.run(
        [promtool, *arguments],
        cwd=FOLDER,
        env={**os.environ, "GOGC": "400"},  # of eight seconds of CPU, three were its garbage collector's
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


def test_every_process_is_scraped_under_the_name_that_rules_and_panels_use() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    jobs = {job["job_name"] for job in config["scrape_configs"]}
    assert jobs == {"prometheus", "gateway-web", "gateway-ws", "gateway-bridge", "gateway-worker"}
    assert config["global"]["external_labels"].keys() == {"docs"}


def test_a_value_that_there_never_is_is_found_out(exposed: expressions.Exposed) -> None:
    told = expressions.strange_values(
        'max by (dependency) (pgw_dependency_up{dependency="postgres"})', exposed
    )
    assert told == ['pgw_dependency_up is never dependency="postgres"']
    bucket = 'rate(pgw_publish_to_send_seconds_bucket{job="gateway-ws", le="0.25"}[5m])'
    assert expressions.strange_values(bucket, exposed) == [
        'pgw_publish_to_send_seconds_bucket is never le="0.25"'
    ]


def test_an_expression_on_what_there_is_not_is_found_out(live_metrics: set[str]) -> None:
    def told(expression: str) -> list[str]:
        return expressions.complaints(expression, live_metrics)

    assert told("rate(pgw_http_request_total[5m])") == ["no process exports pgw_http_request_total"]
    assert told('pgw_jobs{status="done"}') == ["pgw_jobs has no label status"]
    assert told("sum by (le, route) (rate(pgw_bridge_lag_seconds_bucket[5m]))") == [
        "pgw_bridge_lag_seconds_bucket has no label route"
    ]
    assert told("pgw_sockets * on (version) group_left pgw_build_info") == [
        "pgw_sockets has no label version"
    ]
    assert told("histogram_quantile(0.5, pgw_bridge_lag_seconds)") == [
        "no process exports pgw_bridge_lag_seconds"
    ]
    with pytest.raises(ValueError, match=r"."):
        told("sum(rate(pgw_sockets[5m])")


def test_what_a_text_of_metrics_only_declares_cannot_be_asked_for() -> None:
    text = (
        "# HELP pgw_sockets Sockets.\n# TYPE pgw_sockets gauge\npgw_sockets 3\n"
        '# TYPE pgw_jobs_ended_total counter\npgw_jobs_ended_total{depth="fast"} 1\n'
        "# TYPE pgw_hub_gaps_total counter\n"
        '# TYPE pgw_lag histogram\npgw_lag_bucket{le="+Inf"} 1\npgw_lag_count 1\npgw_lag_sum 2\n'
    )
    read = expressions.read(text)
    lag = {f"pgw_lag_{part}" for part in ("bucket", "sum", "count")}
    assert expressions.names_in(text) == {"pgw_sockets", "pgw_jobs_ended_total"} | lag
    assert read.types.keys() == {"pgw_sockets", "pgw_jobs_ended_total", "pgw_hub_gaps_total", "pgw_lag"}
    assert read.labels["pgw_jobs_ended_total"] == {"depth"}
    assert read.values == {("pgw_jobs_ended_total", "depth"): {"fast"}, ("pgw_lag_bucket", "le"): {"+Inf"}}


def test_the_table_of_metrics_is_what_a_running_gateway_exports(exposed: expressions.Exposed) -> None:
    """Put what the first assertion misses into `expressions.METRICS`, and on a panel of the dashboard."""
    live = {name: kind for name, kind in exposed.types.items() if name.startswith(OURS)}
    assert live == {name: kind for name, (kind, _) in expressions.METRICS.items()}
    series = {name: labels for name, labels in exposed.labels.items() if name.startswith(OURS)}
    known = expressions.series_of()
    assert known.keys() - series.keys() == expressions.CONDITIONAL, "nothing in these was ever counted"
    # A process that was started alone has no label pid.
    told = {name: known[name] - expressions.TARGET_LABELS - {"pid"} for name in series}
    assert series == told


def test_the_labels_in_the_table_are_those_of_the_code() -> None:
    """Also of what a healthy gateway does not count, and of processes that a launcher runs."""
    declared = {}
    for one in [*vars(metrics).values(), *vars(django_metrics).values()]:
        if isinstance(one, Counter | Gauge | Histogram):
            of_each = isinstance(one, Gauge) and one._multiprocess_mode == "liveall"
            name = one._name + ("_total" if isinstance(one, Counter) else "")
            declared[name] = (one._type, (*one._labelnames, *(("pid",) if of_each else ())))
    assert {name: of for name, of in declared.items() if name.startswith(OURS)} == expressions.METRICS


@pytest.mark.parametrize("role", ["web", "bridge", "worker"])
def test_promtool_agrees_with_the_metrics_of_each_role(
    role: str, exposed_texts: dict[str, str], promtool: str
) -> None:
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=exposed_texts[role],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
