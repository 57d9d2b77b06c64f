"""What PromQL expressions ask for: their metrics and labels, beside the metrics that the gateway exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import promql_parser as promql
from prometheus_client.parser import text_string_to_metric_families

HTTP = ("method", "route")
OF_EACH_PROCESS = ("pid",)  # where a launcher runs several
# Each metric of the gateway: its type and its labels.
METRICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "pgw_http_requests_total": ("counter", (*HTTP, "status")),
    "pgw_http_errors_total": ("counter", HTTP),
    "pgw_http_request_duration_seconds": ("histogram", HTTP),
    "pgw_http_request_size_bytes": ("histogram", ("route",)),
    "pgw_http_response_size_bytes": ("histogram", ("route",)),
    "pgw_http_requests_in_flight": ("gauge", ()),
    "pgw_reads_total": ("counter", ("route", "source")),
    "pgw_django_threads_busy": ("gauge", ()),
    "pgw_django_requests_waiting": ("gauge", ()),
    "pgw_limit_decisions_total": ("counter", ("tier", "policy", "decision")),
    "pgw_limit_fallbacks_total": ("counter", ("choice",)),
    "pgw_authentications_total": ("counter", ("kind", "outcome")),
    "pgw_authentication_failures_total": ("counter", ("reason",)),
    "pgw_sockets": ("gauge", ()),
    "pgw_subscriptions": ("gauge", ()),
    "pgw_socket_updates_sent_total": ("counter", ()),
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
    "pgw_outcomes_settled_total": ("counter", ()),
    "pgw_outcomes_passed_over_total": ("counter", ()),
    "pgw_outcomes_waiting_messages": ("gauge", ()),
    "pgw_dead_letters": ("gauge", ()),
    "pgw_jobs": ("gauge", ("state",)),
    "pgw_jobs_ended_total": ("counter", ("outcome", "depth")),
    "pgw_job_duration_seconds": ("histogram", ("depth",)),
    "pgw_outbox_oldest_seconds": ("gauge", ()),
    "pgw_outbox_rows": ("gauge", ()),
    "pgw_database_pool_connections": ("gauge", ("state",)),
    "pgw_database_pool_waiting": ("gauge", ()),
    "pgw_event_loop_delay_seconds": ("histogram", ()),
    "pgw_dependency_up": ("gauge", ("dependency",)),
    "pgw_dependency_latency_seconds": ("gauge", ("dependency",)),
    "pgw_build_info": ("gauge", ("version", "commit")),
    "pgw_certificate_expires_seconds": ("gauge", ("file",)),
    "pgw_disk_free_bytes": ("gauge", ()),
    "pgw_disk_size_bytes": ("gauge", ()),
    "pgw_process_resident_memory_bytes": ("gauge", OF_EACH_PROCESS),
    "pgw_process_open_files": ("gauge", OF_EACH_PROCESS),
    "pgw_process_most_files": ("gauge", OF_EACH_PROCESS),
    "pgw_process_cpu_seconds": ("gauge", OF_EACH_PROCESS),
    "pgw_process_start_time_seconds": ("gauge", OF_EACH_PROCESS),
    "django_model_inserts_total": ("counter", ("model",)),
    "django_model_updates_total": ("counter", ("model",)),
    "django_model_deletes_total": ("counter", ("model",)),
    "django_cache_get_total": ("counter", ("backend",)),
    "django_cache_get_hits_total": ("counter", ("backend",)),
    "django_cache_get_misses_total": ("counter", ("backend",)),
    "django_cache_get_fail_total": ("counter", ("backend",)),
}
# Series that there are not before the gateway has failed, or without a certificate of its own.
CONDITIONAL = frozenset({"pgw_http_errors_total", "pgw_certificate_expires_seconds"})
# What Prometheus itself adds.
OF_PROMETHEUS = {"up": frozenset[str](), "ALERTS": frozenset({"alertname", "alertstate", "severity"})}
TARGET_LABELS = frozenset({"job", "instance"})
# Labels with few values, all of which are seen in a gateway that has worked for a moment.
OF_FEW_VALUES = frozenset({"choice", "decision", "dependency", "le", "outcome", "state"})


@dataclass(frozen=True, slots=True)
class Use:
    """A series that an expression asks for, and a label that it expects there; "" for the series alone.

    `value` is what the label is to be equal to; "" where that is not told.
    """

    series: str
    label: str = ""
    value: str = ""


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


@dataclass(frozen=True, slots=True)
class Exposed:
    """What texts of ``/metrics`` declare and hold."""

    types: Mapping[str, str]
    """Of each metric that is declared, also of those without a sample."""
    labels: Mapping[str, frozenset[str]]
    """Of each series that has a sample: those that any of its samples has."""
    values: Mapping[tuple[str, str], frozenset[str]]
    """Of each series and label: what stands there in any of its samples."""


def read(*texts: str) -> Exposed:
    """What `texts` of ``/metrics`` say, taken together."""
    types: dict[str, str] = {}
    labels: dict[str, frozenset[str]] = {}
    values: dict[tuple[str, str], frozenset[str]] = {}
    for family in (family for text in texts for family in text_string_to_metric_families(text)):
        types[family.name + ("_total" if family.type == "counter" else "")] = family.type
        for sample in family.samples:
            labels[sample.name] = labels.get(sample.name, frozenset()) | sample.labels.keys()
            for label, value in sample.labels.items():
                values[sample.name, label] = values.get((sample.name, label), frozenset()) | {value}
    return Exposed(types, labels, values)


def names_in(*texts: str) -> set[str]:
    """The series that have a sample in one of `texts`: of what is only declared, nothing can be asked."""
    return set(read(*texts).labels)


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


def strange_values(expression: str, exposed: Exposed) -> list[str]:
    """The values that an expression expects of a label `OF_FEW_VALUES`, and that are never there."""
    return sorted(
        f'{use.series} is never {use.label}="{use.value}"'
        for use in uses(expression)
        if use.value
        and use.label in OF_FEW_VALUES
        and use.value not in exposed.values.get((use.series, use.label), ())
    )


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
        is_told = matcher.op == promql.MatchOp.Equal
        yield Use(name, matcher.name, matcher.value if is_told else "")
