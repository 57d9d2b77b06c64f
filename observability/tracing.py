"""Traces, where an operator names a collector: a request and its job are one, over all processes.

Off by default: then nothing of OpenTelemetry is imported, and every function here returns at once. What is
carried from process to process is the value of a W3C ``traceparent``, as text.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from observability.version import NAME, VERSION

HEADER = "traceparent"
RAW_HEADER = HEADER.encode()
"""As ASGI has it."""

Kind = Literal["INTERNAL", "SERVER", "CONSUMER", "PRODUCER"]

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
_SAMPLED, _NOT_SAMPLED = "01", "00"
_LAST_EXPORT_S = 2.0


class Span:
    """A span that nobody records."""

    carried = ""
    """What the next process needs to go on from here."""

    def tell(self, attributes: Mapping[str, Any]) -> None:
        """Add attributes."""

    def end(self) -> None:
        """It has ended now."""


NOTHING = Span()


class _Recorded(Span):
    def __init__(self, span: Any) -> None:
        self.span = span

    @property
    def carried(self) -> str:  # type: ignore[override]
        """What the next process needs to go on from here."""
        return _carried_of(self.span.get_span_context())

    def tell(self, attributes: Mapping[str, Any]) -> None:
        self.span.set_attributes(attributes)

    def end(self) -> None:
        self.span.end()


class _Tracing:
    """What a process that traces holds."""

    def __init__(self, endpoint: str, service: str, ratio: float) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self.trace = trace
        self.propagator = TraceContextTextMapPropagator()
        self.bound = TraceIdRatioBased.get_bound_for_rate(ratio)
        self.mask = TraceIdRatioBased.TRACE_ID_LIMIT
        name = os.environ.get("OTEL_SERVICE_NAME") or f"{NAME}-{service}"
        self.provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(ratio)),
            resource=Resource.create({"service.name": name, "service.version": VERSION}),
            # It would wait for a collector that is away.
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer = self.provider.get_tracer(NAME, VERSION)

    def begin(self, name: str, kind: Kind, carried: str, attributes: Mapping[str, Any] | None) -> _Recorded:
        """A span that goes on from `carried`, else from the current one, else is the first of its trace."""
        context = self.propagator.extract({HEADER: carried}) if carried else None
        kinds = self.trace.SpanKind
        return _Recorded(
            self.tracer.start_span(name, context=context, kind=kinds[kind], attributes=attributes)
        )


_tracing: _Tracing | None = None


def is_on() -> bool:
    """Whether this process traces."""
    return _tracing is not None


def begin(endpoint: str, *, service: str, ratio: float) -> None:
    """Export to the OTLP/HTTP collector at `endpoint`, where there is one; a second call does nothing.

    `ratio` of the traces that begin here are recorded.
    """
    global _tracing  # noqa: PLW0603 - one a process
    if endpoint and _tracing is None:
        _tracing = _Tracing(endpoint, service, ratio)


def end() -> None:
    """Export what is left, within two seconds, and trace no more. Blocks."""
    global _tracing
    ended, _tracing = _tracing, None
    if ended is not None:
        exporting = threading.Thread(target=ended.provider.shutdown, daemon=True)
        exporting.start()
        exporting.join(_LAST_EXPORT_S)


@contextlib.contextmanager
def exporting(endpoint: str, *, service: str, ratio: float) -> Iterator[None]:
    """`begin` now, and `end` in the end."""
    begin(endpoint, service=service, ratio=ratio)
    try:
        yield
    finally:
        end()


@contextlib.contextmanager
def span(
    name: str, *, kind: Kind = "INTERNAL", carried: str = "", attributes: Mapping[str, Any] | None = None
) -> Iterator[Span]:
    """The current span meanwhile; an exception marks it as failed, and its trace is for the log alone."""
    if _tracing is None:
        yield NOTHING
        return
    begun = _tracing.begin(name, kind, carried, attributes)
    with _tracing.trace.use_span(begun.span, end_on_exit=True, record_exception=False):
        yield begun


def follow(
    name: str, carried: str, *, kind: Kind = "INTERNAL", attributes: Mapping[str, Any] | None = None
) -> Span:
    """A span of the trace that `carried` belongs to, to be ended by the caller; nothing without one."""
    if _tracing is None or not carried:
        return NOTHING
    return _tracing.begin(name, kind, carried, attributes)


def headers() -> dict[str, str]:
    """What a message needs so that its receiver goes on from the current span."""
    if _tracing is None:
        return {}
    carried = _carried_of(_tracing.trace.get_current_span().get_span_context())
    return {HEADER: carried} if _TRACEPARENT.fullmatch(carried) else {}


def carried_in(offered: Mapping[str, str] | None) -> str:
    """What a message of ours brings along; empty without."""
    return "" if _tracing is None or not offered else offered.get(HEADER, "")


def offered_by_stranger(value: bytes) -> str:
    """The trace that a caller names, to go on from there. Whether it is recorded is for us to decide."""
    found = _TRACEPARENT.fullmatch(value.decode("latin-1"))
    if _tracing is None or found is None:
        return ""
    is_recorded = int(found[1], 16) & _tracing.mask < _tracing.bound
    return f"00-{found[1]}-{found[2]}-{_SAMPLED if is_recorded else _NOT_SAMPLED}"


def current_trace_id() -> str:
    """The id of the trace that the current span belongs to; empty without one."""
    if _tracing is None:
        return ""
    context = _tracing.trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def _carried_of(context: Any) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
