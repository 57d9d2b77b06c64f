"""The size of the measurements: every number is an option; the defaults are the full size."""

from __future__ import annotations

import argparse
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any


def _number(default: float, meaning: str) -> Any:
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much of everything."""

    rounds: int = _number(3, "times that each contender is measured, in turn with the others")
    sockets: int = _number(10_000, "sockets in steady, burst, connect and churn")
    symbols: int = _number(100, "symbols; the sockets are spread evenly over them")
    rate: float = _number(2.0, "updates a second for each symbol in steady, churn and memory")
    seconds: float = _number(60.0, "how long steady, churn, latest and two-workers last")
    bursts: int = _number(20, "bursts a round")
    burst_gap_s: float = _number(1.0, "pause between bursts")
    churn_rate: float = _number(200.0, "sockets a second that come and go in churn and memory")
    churn_stay_s: float = _number(1.0, "how long each of them stays")
    memory_seconds: float = _number(600.0, "how long memory lasts")
    memory_sockets: int = _number(2_000, "sockets that stay in memory")
    latest_sockets: int = _number(1_000, "sockets in latest, each subscribed to all symbols")
    latest_rate: float = _number(50.0, "updates a second for each symbol in latest")
    interval_ms: int = _number(250, "interval that the sockets in latest ask for")
    worker_sockets: int = _number(15_000, "sockets in two-workers")
    bridge_sockets: int = _number(1, "sockets in bridge, each subscribed to all symbols")
    bridge_first: float = _number(1_000.0, "updates a second that bridge begins with")
    bridge_step: float = _number(1_000.0, "how much more each time")
    bridge_most: float = _number(20_000.0, "where bridge ends if the gateway keeps up")
    bridge_seconds: float = _number(10.0, "how long each rate lasts")
    bridge_lag_ms: float = _number(200.0, "the p99 of the lag at which bridge ends")


def add_to(parser: argparse.ArgumentParser) -> None:
    """An option for each field."""
    for one in fields(Options):
        kind = type(_default(one))
        name = "--" + one.name.replace("_", "-")
        parser.add_argument(
            name, type=kind, default=_default(one), help=one.metadata["help"] + " (%(default)s)"
        )


def read(parsed: argparse.Namespace) -> Options:
    """The options among what was parsed."""
    return Options(**{one.name: getattr(parsed, one.name) for one in fields(Options)})


def _default(one: Field[Any]) -> Any:
    if one.default is MISSING:
        raise ValueError(f"{one.name} has no default")
    return one.default
