"""Print the stored history of a symbol in the order in which it was made, at a chosen speed."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator

import msgspec

from prediction_gateway.client import Client
from prediction_gateway.command import wording
from prediction_gateway.errors import GatewayError
from prediction_gateway.models import Prediction

MOST = 50_000
"""The history comes newest first, so all of it is read, and held, before the first line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``pgw replay`` takes."""
    parser.add_argument("symbol", metavar="SYMBOL")
    parser.add_argument("--from", dest="start", metavar="MOMENT", help="a date, or 2026-03-01T14:30:00Z")
    parser.add_argument("--to", dest="end", metavar="MOMENT", help="a date is its midnight UTC")
    parser.add_argument(
        "--speed", type=positive_number, default=1.0, help="60: an hour in a minute (default 1, as it was)"
    )
    parser.add_argument(
        "--longest-pause",
        type=positive_number,
        default=10.0,
        metavar="SECONDS",
        help="longer pauses are cut to this, and said (default 10)",
    )


def run(client: Client, options: argparse.Namespace, sleep: Callable[[float], None] = time.sleep) -> int:
    """Print; returns 1 if there is nothing in that time."""
    found = list(client.history(options.symbol, start=options.start, end=options.end, limit=MOST + 1))
    if len(found) > MOST:
        raise GatewayError(f"there are more than {MOST:,} predictions: choose --from and --to closer")
    if not found:
        print(f"pgw: {options.symbol} has no predictions in that time", file=sys.stderr)
        return 1
    found.sort(key=lambda one: (one.timestamp, one.seq or 0))
    print(wording.shown(_heading(found, options.speed)), file=sys.stderr, flush=True)
    for pause_s, one in _paced(found, options.speed):
        if pause_s > options.longest_pause:
            print(f"-- a pause of {wording.length(pause_s)} is cut short", file=sys.stderr, flush=True)
        sleep(min(pause_s, options.longest_pause))
        print(_json(one) if options.json else wording.shown(_line(one)), flush=True)
    print("-- end of the replay", file=sys.stderr)
    return 0


def positive_number(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def _paced(found: list[Prediction], speed: float) -> Iterator[tuple[float, Prediction]]:
    """Each prediction after the seconds to wait for it."""
    before = found[0].timestamp
    for one in found:
        yield (one.timestamp - before).total_seconds() / speed, one
        before = one.timestamp


def _heading(found: list[Prediction], speed: float) -> str:
    first, last = wording.moment(found[0].timestamp), wording.moment(found[-1].timestamp)
    return (
        f"-- REPLAY, not live: {len(found):,} stored predictions of {found[0].symbol}, "
        f"made from {first} to {last}, at {speed:g} times their speed"
    )


def _line(one: Prediction) -> str:
    return "  ".join(
        (
            "replay",
            wording.moment(one.timestamp),
            one.symbol.ljust(5),
            f"{wording.price(one.current_price)} → {wording.price(one.predicted_price)}",
            wording.per_cent(one.move_pct),
            f"confidence {one.confidence:.3f}",
            f"seq {'?' if one.seq is None else one.seq}",
        )
    )


def _json(one: Prediction) -> str:
    return wording.json_line({"type": "replay", **msgspec.structs.asdict(one)})
