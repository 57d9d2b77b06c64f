"""One trace from the order over REST to the frame on the socket, as a collector gets it."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from websockets.sync.client import connect

from tests.conftest import make_stack
from tests.integration.rest import order_explanation
from tests.people import add_key
from tests.stack import Stack, event, eventually, receive, send

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


class Collector(ThreadingHTTPServer):
    """Takes what OTLP/HTTP exporters send."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[tuple[str, Any]] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def take(self, request: ExportTraceServiceRequest) -> None:
        """Keep every span, with the service that it is of."""
        for resource in request.resource_spans:
            told = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(told["service.name"], span) for span in scope.spans]

    def of_trace(self, trace_id: str) -> dict[tuple[str, str], Any]:
        """The spans of a trace by service and name."""
        return {(who, one.name): one for who, one in list(self.spans) if one.trace_id.hex() == trace_id}


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.path == "/v1/traces"
        self.server.take(ExportTraceServiceRequest.FromString(body))
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nobody wants to know."""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """A collector of this module alone."""
    with Collector() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join(timeout=60)


@pytest.fixture(scope="module")
def traced(postgres_url: str, collector: Collector) -> Iterator[Stack]:
    """A gateway whose processes export to the collector."""
    with contextlib.ExitStack() as held:
        stack = make_stack(held, postgres_url)
        stack.environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        stack.start_bridge()
        stack.start_worker()
        stack.start_web()
        yield stack


def test_rest_worker_bridge_and_socket_are_one_trace(
    traced: Stack, collector: Collector, symbol: str
) -> None:
    traced.publish(event(symbol, features={"momentum_21d": 0.04}))
    eventually(lambda: traced.read(symbol))
    key = add_key(traced, "enterprise")
    with connect(traced.socket_url, additional_headers=key.header, close_timeout=1) as follower:
        assert receive(follower)["type"] == "welcome"
        send(follower, action="subscribe", symbols=[symbol], snapshot=False, explanations=True)
        assert receive(follower)["symbols"] == [symbol]
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "Prefer": "wait=30"}
        assert order_explanation(traced, key, symbol, "fast", **headers).status_code == 200
        while receive(follower)["type"] != "explanation_completed":
            pass
    names = ("prediction-gateway-web", "prediction-gateway-worker", "prediction-gateway-bridge")
    web, worker, bridge = names
    way = [
        (web, "POST explanation"),
        (worker, "explain"),
        (bridge, "record"),
        (bridge, "tell"),
        (web, "send"),
    ]
    eventually(lambda: collector.of_trace(TRACE).keys() >= set(way))
    spans = collector.of_trace(TRACE)
    parent = PARENT
    for step in way:
        assert spans[step].parent_span_id.hex() == parent, step
        parent = spans[step].span_id.hex()
    told = {one.key: one.value.int_value for one in spans[web, "send"].attributes}
    assert told["sockets"] == 1
    asked = {one.key: one.value.int_value for one in spans[way[0]].attributes}
    assert asked["http.response.status_code"] == 200


def test_a_hot_read_is_traced_where_its_caller_traces_and_only_there(
    traced: Stack, collector: Collector, symbol: str
) -> None:
    traced.publish(event(symbol))
    eventually(lambda: traced.count_rows(symbol))  # what is not there yet is no hot read
    path = f"{traced.base_url}/api/prediction/{symbol}"
    key = {"X-API-Key": traced.key}
    trace = TRACE[:-1] + "7"
    for _ in range(3):
        assert httpx.get(path, headers=key).status_code == 200
    answer = httpx.get(path, headers=key | {"traceparent": f"00-{trace}-{PARENT}-01"})
    assert answer.status_code == 200
    found = eventually(lambda: collector.of_trace(trace))
    assert [name for _, name in found] == ["GET prediction"]
    paths = [
        attribute.value.string_value
        for _, span in collector.spans
        for attribute in span.attributes
        if attribute.key == "url.path" and attribute.value.string_value.endswith(symbol)
    ]
    assert len(paths) <= 2  # the first read of all may not have found it on the board
