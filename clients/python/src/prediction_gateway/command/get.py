"""Print the newest prediction of each symbol, or the one that was the newest at a moment."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from prediction_gateway.client import Client
from prediction_gateway.command import wording
from prediction_gateway.models import Prediction

_HEADINGS = ("SYMBOL", "NOW", "PREDICTED", "MOVE", "CONFIDENCE", "HORIZON", "MADE", "AGE", "")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``pgw get`` takes."""
    parser.add_argument("symbols", nargs="+", metavar="SYMBOL")
    parser.add_argument("--features", action="store_true", help="what the model has seen as well")
    parser.add_argument("--as-of", metavar="MOMENT", help="2026-03-01T14:30:00Z, or a date: its midnight UTC")


def run(client: Client, options: argparse.Namespace) -> int:
    """Print; returns 1 if a symbol has no prediction."""
    found, missing = _read(client, options)
    if options.json:
        for one in found:
            print(wording.json_line(one))
    elif found:
        print("\n".join(wording.shown(line) for line in _lines(found)))
    if missing:
        print(wording.shown(f"pgw: there is no prediction of {', '.join(missing)}"), file=sys.stderr)
    return 1 if missing else 0


def _read(client: Client, options: argparse.Namespace) -> tuple[list[Prediction], list[str]]:
    """What there is, in the order of the arguments, and what there is not."""
    asked = {"include_features": options.features, "as_of": options.as_of}
    symbols = list(dict.fromkeys(options.symbols))
    if len(symbols) == 1:
        return [client.prediction(symbols[0], **asked)], []
    answer = client.predictions(symbols, **asked)
    return [answer.predictions[symbol] for symbol in symbols if symbol in answer.predictions], answer.missing


def _lines(found: Sequence[Prediction]) -> list[str]:
    rows = [_HEADINGS, *(_row(one) for one in found)]
    table = wording.table(rows, right=(1, 2, 3, 4, 7))
    lines = table[:1]
    for line, one in zip(table[1:], found, strict=True):
        lines.append(line)
        features = [(name, f"{value}") for name, value in (one.features or {}).items()]
        lines += [f"    {told}" for told in wording.table(features)] if features else []
    return lines


def _row(one: Prediction) -> tuple[str, ...]:
    return (
        one.symbol,
        wording.price(one.current_price),
        wording.price(one.predicted_price),
        wording.per_cent(one.move_pct),
        f"{one.confidence:.3f}",
        one.horizon,
        wording.moment(one.timestamp),
        wording.length(one.age_seconds),
        "stale" if one.stale else "",
    )
