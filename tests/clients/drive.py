"""Drives the Python client through one scenario of tests/clients/test_scenarios.py; JSON lines to stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from prediction_gateway import (
    Client,
    Connected,
    Disconnected,
    Gap,
    GatewayError,
    StreamClosedError,
    Update,
)

Arguments = dict[str, Any]


def tell(**line: Any) -> None:
    """One line, at once."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def make_client(arguments: Arguments, statuses: list[int] | None = None, **options: Any) -> Client:
    """A client for the arguments that all scenarios have."""
    seen = [] if statuses is None else statuses
    return Client(
        arguments["base_url"],
        arguments["api_key"],
        on_response=lambda response: seen.append(response.status),
        **options,
    )


def success(arguments: Arguments) -> None:
    """One read."""
    with make_client(arguments) as client:
        read = client.prediction(arguments["symbol"])
    tell(symbol=read.symbol, predicted_price=read.predicted_price, seq=read.seq)


def not_modified(arguments: Arguments) -> None:
    """The same read twice."""
    statuses: list[int] = []
    with make_client(arguments, statuses) as client:
        prices = [client.prediction(arguments["symbol"]).predicted_price for _ in range(2)]
    tell(prices=prices, statuses=statuses)


def read(arguments: Arguments) -> None:
    """Reads that are not conditional, so that each costs quota."""
    statuses: list[int] = []
    started_s = time.monotonic()
    with make_client(arguments, statuses, cache_size=0, max_wait_s=arguments["max_wait_s"]) as client:
        prices = [client.prediction(arguments["symbol"]).predicted_price for _ in range(arguments["reads"])]
    tell(prices=prices, waited_s=time.monotonic() - started_s, statuses=statuses)


def order(arguments: Arguments) -> None:
    """An order, several times over."""
    key = arguments.get("idempotency_key")
    with make_client(arguments) as client:
        jobs = [
            client.order_explanation(arguments["symbol"], arguments["depth"], idempotency_key=key)
            for _ in range(arguments["times"])
        ]
    tell(job_ids=[job.job_id for job in jobs])


def explain(arguments: Arguments) -> None:
    """An order, and its explanation."""
    with make_client(arguments) as client:
        found = client.explain(arguments["symbol"], arguments["depth"])
    tell(summary=found.summary, depth=found.depth)


def job(arguments: Arguments) -> None:
    """How a job stands."""
    with make_client(arguments) as client:
        tell(status=client.job(arguments["job_id"]).status)


def stream(arguments: Arguments) -> None:
    """The stream, until there were `count` updates that are no snapshots."""
    left = arguments["count"]
    with (
        make_client(arguments) as client,
        client.stream(
            arguments["symbols"],
            mode=arguments.get("mode", "all"),
            snapshot=arguments.get("snapshot", True),
        ) as messages,
    ):
        for message in messages:
            match message:
                case Connected():
                    tell(kind="connected")
                case Disconnected():
                    tell(kind="disconnected", code=message.code)
                case Gap():
                    tell(kind="gap", symbol=message.symbol, **{"from": message.from_seq}, to=message.to_seq)
                case Update():
                    tell(
                        kind="update",
                        symbol=message.symbol,
                        seq=message.seq,
                        predicted_price=message.predicted_price,
                        snapshot=message.snapshot,
                    )
                    left -= not message.snapshot
            if left <= 0:
                return


def describe(error: GatewayError) -> dict[str, Any]:
    """The error as the scenarios compare it."""
    told: dict[str, Any] = {"type": type(error).__name__}
    if isinstance(error, StreamClosedError):
        return {**told, "status": error.code, "code": error.reason, "request_id": None, "retry_after": None}
    names = ("status", "code", "request_id", "retry_after")
    return {**told, **{name: getattr(error, name, None) for name in names}}


SCENARIOS: dict[str, Callable[[Arguments], None]] = {
    one.__name__: one for one in (success, not_modified, read, order, explain, job, stream)
}

if __name__ == "__main__":
    try:
        SCENARIOS[sys.argv[1]](json.loads(sys.argv[2]))
    except GatewayError as error:
        tell(error=describe(error))
