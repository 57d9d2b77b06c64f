"""Which alerts would fire: what the roles told before and during a fault, prolonged, judged by promtool.

Rates are measured between scrapes, gauges are the median of the last ones, and both go on: 15 minutes
without the fault, then 25 minutes with it, at Prometheus' interval.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy import expressions

ALERTS = Path(__file__).resolve().parents[3] / "docker/prometheus/alerts.yml"
EVERY_S = 2.0
_INTERVAL_S = 15
_BEFORE, _DURING = 60, 100
_SCRAPE_S = 4.0
_COUNTED = ("_total", "_bucket", "_sum", "_count")
_FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'
Series = dict[str, float]
Look = dict[str, Series | None]
"""Of each job what it told, or None where it told nothing."""


def severities() -> dict[str, str]:
    """Of each alert."""
    return {rule["alert"]: rule["labels"]["severity"] for rule in _rules() if "alert" in rule}


class Scraper:
    """Scrapes every role, as Prometheus would, until `stop`."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = urls
        self._enough = threading.Event()
        self._wanted = _wanted()
        self.looks: list[tuple[float, Look]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Scrape no more."""
        self._enough.set()
        self._thread.join(timeout=60)

    def _run(self) -> None:
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(timeout=_SCRAPE_S, limits=limits) as client:
            while not self._enough.wait(EVERY_S):
                now = time.monotonic()
                self.looks.append(
                    (now, {f"gateway-{role}": self._scrape(client, role) for role in self._urls})
                )

    def _scrape(self, client: httpx.Client, role: str) -> Series | None:
        try:
            text = client.get(f"{self._urls[role]}/metrics").raise_for_status().text
        except httpx.HTTPError:
            return None
        return dict(_read(text, f"gateway-{role}", self._wanted))


def fired(
    looks: list[tuple[float, Look]], began_at: float, ended_at: float, promtool: str
) -> tuple[set[str], set[str]]:
    """The alerts that fire just before the fault, and at the end of the prolonged fault.

    Raises RuntimeError where there are too few looks, or promtool cannot use them.
    """
    before = [look for look in looks if look[0] < began_at - EVERY_S][-3:]
    during = [look for look in looks if began_at + 1 <= look[0] < ended_at - 0.5][-6:]
    if len(before) < 2 or len(during) < 2:
        raise RuntimeError("too few scrapes: the machine is too busy to tell which alerts would fire")
    series = [
        {"series": name, "values": values}
        for job in before[-1][1]
        for name, values in _prolonged(before, during, job)
    ]
    case: dict[str, object] = {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": f"{_INTERVAL_S}s",
        "tests": [
            {
                "interval": f"{_INTERVAL_S}s",
                "external_labels": {"docs": "docs"},
                "input_series": series,
                "promql_expr_test": [
                    {"expr": _FIRING, "eval_time": f"{steps * _INTERVAL_S}s", "exp_samples": []}
                    for steps in (_BEFORE, _BEFORE + _DURING)
                ],
            }
        ],
    }
    return _firing(case, promtool)


def _firing(case: dict[str, object], promtool: str) -> tuple[set[str], set[str]]:
    """What promtool found at the two moments, where nothing was expected."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(case, file)
        file.flush()
        done = subprocess.run(
            [promtool, "test", "rules", file.name], capture_output=True, text=True, timeout=300, check=False
        )
    told = done.stdout + done.stderr
    if "FAILED" not in told and "SUCCESS" not in told:
        raise RuntimeError(f"promtool says: {told[:2000]}")
    found: list[set[str]] = []
    for steps in (_BEFORE, _BEFORE + _DURING):
        minutes, seconds = divmod(steps * _INTERVAL_S, 60)
        moment = f"time: {minutes}m{seconds or ''}"
        parts = [part for part in told.split("expr: ") if moment in part]
        found.append(set(re.findall(r'alertname="(\w+)"', " ".join(parts))))
    return found[0], found[1]


def _prolonged(
    before: list[tuple[float, Look]], during: list[tuple[float, Look]], job: str
) -> Iterator[tuple[str, str]]:
    """Each series of `job` with its values, in promtool's words."""
    # One worker of two that hangs swallows every other scrape: what counts is what came.
    healthy, broken = _told(before, job), _told(during, job)[-3:]
    place = _place(job)
    yield (
        f"up{place}",
        f"1x{_BEFORE - 1} {int(bool(broken))}x{_DURING}",
    )
    if job == "gateway-web":  # one process of role `all` stands for both
        yield f"up{_place('gateway-ws')}", f"1x{_BEFORE + _DURING}"
    for name in {*(healthy[-1][1] if healthy else {}), *(broken[-1][1] if broken else {})}:
        start, rate = _course(healthy, name)
        values = f"{start:.6f}+{rate:.6f}x{_BEFORE - 1}" if start is not None else f"_x{_BEFORE}"
        reached = 0.0 if start is None else start + rate * (_BEFORE - 1)
        value, rate = _course(broken, name)
        if value is None:
            values += f" stale _x{_DURING - 1}"
        elif _is_counted(name):
            values += f" {reached + rate:.6f}+{rate:.6f}x{_DURING - 1}"
        else:
            values += f" {value:.6f}x{_DURING - 1}"
        yield name, values


def _told(looks: list[tuple[float, Look]], job: str) -> list[tuple[float, Series]]:
    return [(at, series) for at, look in looks if (series := look.get(job)) is not None]


def _course(looks: list[tuple[float, Series]], name: str) -> tuple[float | None, float]:
    """The last value of a counter and by how much it grows in an interval; the median of a gauge, and 0."""
    there = [(at, series[name]) for at, series in looks if name in series]
    if not there:
        return None, 0.0
    (first_at, first), (last_at, last) = there[0], there[-1]
    if not _is_counted(name):
        return statistics.median_low(value for _, value in there), 0.0
    if last_at <= first_at:
        return last, 0.0
    return last, max(0.0, last - first) / (last_at - first_at) * _INTERVAL_S


def _is_counted(name: str) -> bool:
    return name.partition("{")[0].endswith(_COUNTED)


def _place(job: str) -> str:
    return f'{{job="{job}", instance="{job}-1"}}'


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _wanted() -> frozenset[str]:
    """The series that rules ask for."""
    return frozenset(use.series for rule in _rules() for use in expressions.uses(str(rule["expr"])))


def _read(text: str, job: str, wanted: frozenset[str]) -> Iterator[tuple[str, float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in wanted:
                labels = {"job": job, "instance": f"{job}-1", **sample.labels}
                told = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
                yield f"{sample.name}{{{told}}}", sample.value
