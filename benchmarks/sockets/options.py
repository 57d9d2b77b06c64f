"""The size of the measurements: every number is an option; the defaults are the full size."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.side_by_side.options import number


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much of everything."""

    rounds: int = number(3, "times that each contender is measured, in turn with the others")
    sockets: int = number(10_000, "sockets in steady, burst, connect and churn")
    symbols: int = number(100, "symbols; the sockets are spread evenly over them")
    rate: float = number(2.0, "updates a second for each symbol in steady, churn and memory")
    seconds: float = number(60.0, "how long steady, churn, latest and two-workers last")
    bursts: int = number(20, "bursts a round")
    burst_gap_s: float = number(1.0, "pause between bursts")
    churn_rate: float = number(200.0, "sockets a second that come and go in churn and memory")
    churn_stay_s: float = number(1.0, "how long each of them stays")
    memory_seconds: float = number(600.0, "how long memory lasts")
    memory_sockets: int = number(2_000, "sockets that stay in memory")
    latest_sockets: int = number(1_000, "sockets in latest, each subscribed to all symbols")
    latest_rate: float = number(50.0, "updates a second for each symbol in latest")
    interval_ms: int = number(250, "interval that the sockets in latest ask for")
    worker_sockets: int = number(15_000, "sockets in two-workers")
    bridge_sockets: int = number(1, "sockets in bridge, each subscribed to all symbols")
    bridge_first: float = number(1_000.0, "updates a second that bridge begins with")
    bridge_step: float = number(1_000.0, "how much more each time")
    bridge_most: float = number(20_000.0, "where bridge ends if the gateway keeps up")
    bridge_seconds: float = number(10.0, "how long each rate lasts")
    bridge_lag_ms: float = number(200.0, "the p99 of the lag at which bridge ends")
