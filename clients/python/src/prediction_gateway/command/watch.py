"""Print predictions as they come, with drops, reconnects and gaps, until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from prediction_gateway.client import Client
from prediction_gateway.command import wording
from prediction_gateway.messages import Connected, Disconnected, Gap, Message, Notice, Update


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``pgw watch`` takes."""
    parser.add_argument("symbols", nargs="+", metavar="SYMBOL")
    parser.add_argument(
        "--mode",
        choices=("all", "latest", "batch"),
        default="all",
        help="all: each update as it comes (default); latest: the newest of each symbol at intervals; "
        "batch: each update, packed on the way",
    )
    parser.add_argument("--interval-ms", type=int, help="of the modes latest and batch (default 250)")


def run(client: Client, options: argparse.Namespace) -> int:
    """Print until Ctrl-C."""
    stream = client.stream(options.symbols, mode=options.mode, interval_ms=options.interval_ms, timing=True)
    with stream:
        for message in stream:
            if options.json:
                print(wording.json_line(message), flush=True)
            elif isinstance(message, Update):
                print(wording.shown(update_line(message, now=datetime.now(UTC))), flush=True)
            elif told := status_line(message):
                print(wording.shown(told), file=sys.stderr, flush=True)
    return 0


def update_line(update: Update, *, now: datetime) -> str:
    """An update and its lag: from its publication by the pipeline to `now`, by the clocks of both."""
    return "  ".join(
        (
            wording.clock(now),
            update.symbol.ljust(5),
            f"{wording.price(update.current_price)} → {wording.price(update.predicted_price)}",
            wording.per_cent(update.move_pct),
            f"confidence {update.confidence:.3f}",
            f"seq {update.seq}",
            "newest value" if update.snapshot else _lag(update, now),
        )
    )


def _lag(update: Update, now: datetime) -> str:
    if update.published_at is None or update.gateway_lag_s is None:
        return "lag unknown"
    lag_s = (now - update.published_at).total_seconds()
    within = f"{wording.length(update.gateway_lag_s)} in the gateway"
    # Where this clock is behind that of the gateway, its own times are all that can be told.
    return f"lag {wording.length(lag_s)} ({within})" if lag_s >= update.gateway_lag_s else within


def status_line(message: Message) -> str | None:
    """How the stream stands, for people; None for what is not about that."""
    match message:
        case Connected(resumed=resumed):
            return "-- connected again: what was missed comes first" if resumed else "-- connected"
        case Disconnected(code=code, reason=reason, retry_in_s=retry_in_s):
            said = ", ".join(str(part) for part in (code, reason) if part)
            return f"-- disconnected ({said}); back in {wording.length(retry_in_s)}"
        case Gap(symbol=symbol, from_seq=from_seq, to_seq=to_seq):
            return f"-- gap: updates of {symbol} between {from_seq} and {to_seq} may be missing"
        case Notice():
            return f"-- {_notice(message)}"
    return None


def _notice(notice: Notice) -> str:
    if notice.dropped is not None:
        return (
            f"{notice.dropped} updates were dropped: they came faster than they went (--mode batch gets all)"
        )
    if notice.expires_at is not None:
        return f"the credential ends at {wording.moment(notice.expires_at)}"
    return ": ".join(part for part in (notice.symbol, notice.code, notice.detail) if part)
