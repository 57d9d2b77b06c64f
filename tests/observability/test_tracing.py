"""Without a collector there are no traces, and nothing of OpenTelemetry is imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from observability import tracing

ROOT = Path(__file__).resolve().parents[2]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_without_a_collector_nothing_is_traced_or_imported() -> None:
    script = """
import sys
from observability import tracing
tracing.begin("", service="web", ratio=1.0)
with tracing.span("request", attributes={"a": 1}) as span:
    assert span is tracing.NOTHING
    assert tracing.headers() == {}
    assert tracing.current_trace_id() == ""
    assert tracing.carried_in({"traceparent": "00-%s-00f067aa0ba902b7-01"}) == ""
assert tracing.follow("record", "00-x") is tracing.NOTHING
tracing.end()
assert not tracing.is_on()
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    subprocess.run([sys.executable, "-c", script % TRACE], cwd=ROOT, check=True, timeout=60)


@pytest.fixture
def half() -> Iterator[None]:
    """Half of the traces are recorded; where they would go there is nobody."""
    tracing.begin("http://127.0.0.1:1", service="web", ratio=0.5)
    yield
    tracing.end()


@pytest.mark.usefixtures("half")
def test_a_stranger_names_the_trace_and_we_decide_whether_it_is_recorded() -> None:
    low, high = f"{TRACE[:16]}{'0' * 15}1", f"{TRACE[:16]}{'f' * 16}"
    for flag in (b"00", b"01"):
        assert tracing.offered_by_stranger(b"00-%b-00f067aa0ba902b7-%b" % (low.encode(), flag))[-2:] == "01"
        assert tracing.offered_by_stranger(b"00-%b-00f067aa0ba902b7-%b" % (high.encode(), flag))[-2:] == "00"


@pytest.mark.usefixtures("half")
@pytest.mark.parametrize(
    "offered",
    [
        b"",
        b"junk",
        b"\xff" * 55,
        b"00-%b-00f067aa0ba902b7" % TRACE.encode(),
        b"00-%b-00f067aa0ba902b7-01\n" % TRACE.encode(),
        b"00-%b-00f067aa0ba902b7-01" % TRACE.upper().encode(),
        b"00-%b-00f067aa0ba902b7-01" % (b"0" * 32),
    ],
)
def test_what_is_no_traceparent_is_ignored(offered: bytes) -> None:
    assert tracing.offered_by_stranger(offered) == ""


@pytest.mark.usefixtures("half")
def test_a_span_goes_on_from_what_was_carried() -> None:
    with tracing.span("explain", carried=f"00-{TRACE}-00f067aa0ba902b7-01") as span:
        assert tracing.current_trace_id() == TRACE
        assert tracing.headers() == {"traceparent": span.carried}
        assert span.carried.startswith(f"00-{TRACE}-")
        assert "00f067aa0ba902b7" not in span.carried
    assert tracing.headers() == {}
