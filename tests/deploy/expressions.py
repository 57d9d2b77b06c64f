"""What PromQL expressions ask for: their metrics and labels, beside the metrics that the gateway exports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import promql_parser as promql

HTTP = ("method", "route")
# Each metric of the gateway: its type and its labels.
METRICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "pgw_http_requests_total": ("counter", (*HTTP, "status")),
    "pgw_http_request_duration_seconds": ("histogram", HTTP),
    "pgw_http_request_size_bytes": ("histogram", ("route",)),
    "pgw_http_response_size_bytes": ("histogram", ("route",)),
    "pgw_http_requests_in_flight": ("gauge", ()),
    "pgw_reads_total": ("counter", ("route", "source")),
    "pgw_limit_decisions_total": ("counter", ("tier", "policy", "decision")),
    "pgw_limit_fallbacks_total": ("counter", ("choice",)),
    "pgw_authentications_total": ("counter", ("kind", "outcome")),
    "pgw_authentication_failures_total": ("counter", ("reason",)),
    "pgw_sockets": ("gauge", ()),
    "pgw_subscriptions": ("gauge", ()),
    "pgw_socket_frames_sent_total": ("counter", ("type",)),
    "pgw_socket_updates_dropped_total": ("counter", ()),
    "pgw_socket_updates_waiting": ("gauge", ()),
    "pgw_socket_closes_total": ("counter", ("code",)),
    "pgw_publish_to_send_seconds": ("histogram", ()),
    "pgw_hub_is_current": ("gauge", ()),
    "pgw_hub_gaps_total": ("counter", ()),
    "pgw_bridge_events_total": ("counter", ("outcome",)),
    "pgw_bridge_batches_total": ("counter", ()),
    "pgw_bridge_batch_events": ("histogram", ()),
    "pgw_bridge_lag_seconds": ("histogram", ()),
    "pgw_bridge_waiting_messages": ("gauge", ()),
    "pgw_bridge_redeliveries_total": ("counter", ()),
    "pgw_dead_letters": ("gauge", ()),
    "pgw_jobs": ("gauge", ("state",)),
    "pgw_jobs_ended_total": ("counter", ("outcome", "depth")),
    "pgw_job_duration_seconds": ("histogram", ("depth",)),
    "pgw_outbox_oldest_seconds": ("gauge", ()),
    "pgw_outbox_rows": ("gauge", ()),
    "pgw_database_pool_connections": ("gauge", ("state",)),
    "pgw_database_pool_waiting": ("gauge", ()),
    "pgw_django_threads_busy": ("gauge", ()),
    "pgw_django_requests_waiting": ("gauge", ()),
    "pgw_event_loop_delay_seconds": ("histogram", ()),
    "pgw_dependency_up": ("gauge", ("dependency",)),
    "pgw_dependency_latency_seconds": ("gauge", ("dependency",)),
    "pgw_build_info": ("gauge", ("version", "commit")),
    "pgw_certificate_expires_seconds": ("gauge", ()),
    "pgw_disk_free_bytes": ("gauge", ()),
    "pgw_disk_size_bytes": ("gauge", ()),
    "process_cpu_seconds_total": ("counter", ()),
    "process_resident_memory_bytes": ("gauge", ()),
    "process_open_fds": ("gauge", ()),
    "process_max_fds": ("gauge", ()),
    "process_start_time_seconds": ("gauge", ()),
}
# Exported only where there is a certificate, or a data folder.
CONDITIONAL = {"pgw_certificate_expires_seconds", "pgw_disk_free_bytes", "pgw_disk_size_bytes"}
# What Prometheus itself adds.
OF_PROMETHEUS = {"up": frozenset[str](), "ALERTS": frozenset({"alertname", "alertstate", "severity"})}
TARGET_LABELS = frozenset({"job", "instance"})


@dataclass(frozen=True, slots=True)
class Use:
    """A series that an expression asks for, and a label that it expects there; "" for the series alone."""

    series: str
    label: str = ""


def series_of(metrics: Mapping[str, tuple[str, tuple[str, ...]]] = METRICS) -> dict[str, frozenset[str]]:
    """Every series with its labels: a histogram is three."""
    found: dict[str, frozenset[str]] = {}
    for name, (kind, labels) in metrics.items():
        own = TARGET_LABELS | set(labels)
        if kind == "histogram":
            found |= {name + "_bucket": own | {"le"}, name + "_sum": own, name + "_count": own}
        else:
            found[name] = own
    return found


def names_in(exposition: str) -> set[str]:
    """The series of the metrics that a text of ``/metrics`` declares, also of those without a sample yet."""
    found = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\w+)$", exposition, re.MULTILINE):
        if kind == "histogram":
            found |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"}
        elif kind == "counter":
            found.add(name.removesuffix("_total") + "_total")
        else:
            found.add(name)
    return found


def parse(expression: str) -> promql.Expr:
    """The expression as Grafana would send it; ValueError where it is no PromQL."""
    return promql.parse(expression.replace("$__rate_interval", "5m").replace("$__range", "1h"))


def uses(expression: str) -> set[Use]:
    """What the expression asks for."""
    return set(_uses(parse(expression)))


def complaints(
    expression: str, exported: set[str], recorded: Mapping[str, frozenset[str]] | None = None
) -> list[str]:
    """What is wrong with an expression, where `exported` are the series that there are."""
    known = series_of() | OF_PROMETHEUS | dict(recorded or {})
    there = exported | OF_PROMETHEUS.keys() | (recorded or {}).keys()
    found = []
    for use in sorted(uses(expression), key=lambda use: (use.series, use.label)):
        if use.series not in there or use.series not in known:
            found.append(f"no process exports {use.series}")
        elif use.label and use.label not in known[use.series] | TARGET_LABELS:
            found.append(f"{use.series} has no label {use.label}")
    return sorted(set(found))


def _uses(node: promql.Expr) -> Iterator[Use]:
    """Selectors below `node`, and for every aggregation and matching the labels that it expects of them."""
    if isinstance(node, promql.VectorSelector):
        yield from _uses_of_selector(node)
    below = [use for child in _children(node) for use in _uses(child)]
    yield from below
    for label in _labels_expected_by(node):
        for use in below:
            yield Use(use.series, label)


def _children(node: promql.Expr) -> list[promql.Expr]:
    if isinstance(node, promql.BinaryExpr):
        return [node.lhs, node.rhs]
    if isinstance(node, promql.Call):
        return list(node.args)
    if isinstance(node, promql.MatrixSelector):
        return [node.vector_selector]
    if isinstance(node, promql.AggregateExpr | promql.ParenExpr | promql.UnaryExpr | promql.SubqueryExpr):
        return [node.expr]
    return []


def _labels_expected_by(node: promql.Expr) -> list[str]:
    """What stands in `by (...)`, `on (...)` or `ignoring (...)`."""
    if isinstance(node, promql.AggregateExpr):
        by = node.modifier is not None and node.modifier.type == promql.AggModifierType.By
        return node.modifier.labels if node.modifier is not None and by else []
    if isinstance(node, promql.BinaryExpr) and node.modifier is not None:
        return [] if node.modifier.matching is None else node.modifier.matching.labels
    return []


def _uses_of_selector(selector: promql.VectorSelector) -> Iterator[Use]:
    name = selector.name or ""
    yield Use(name)
    for matcher in selector.matchers.matchers:
        yield Use(name, matcher.name)
