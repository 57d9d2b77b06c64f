"""Order an explanation of the newest prediction, wait for it and print it."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator

from prediction_gateway.client import Client
from prediction_gateway.command import wording
from prediction_gateway.models import Contribution, Explanation, Job

_WIDTH = 100
_BAR = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``pgw explain`` takes."""
    parser.add_argument("symbol", metavar="SYMBOL")
    parser.add_argument("--depth", choices=("fast", "medium", "deep"), default="fast")
    parser.add_argument(
        "--wait", type=float, default=300.0, metavar="SECONDS", help="give up after so long (default 300)"
    )


def run(client: Client, options: argparse.Namespace) -> int:
    """Print the explanation; how far it is goes to stderr."""
    found = client.explain(options.symbol, options.depth, on_progress=_Progress().tell, wait_s=options.wait)
    if options.json:
        print(wording.json_line(found))
    else:
        print("\n".join(wording.shown(line) for line in _lines(found)))
    return 0


class _Progress:
    """Tells each state once; the last one not at all, since the explanation follows."""

    def __init__(self) -> None:
        self._told = ""

    def tell(self, job: Job) -> None:
        if job.status == "done":
            return
        stage = f", {job.stage}" if job.stage else ""
        told = wording.shown(f"-- {job.status}{stage}: {job.progress:.0%}")
        if told != self._told:
            left = wording.length(job.estimated_seconds)
            print(f"{told}, about {left} left", file=sys.stderr, flush=True)
        self._told = told


def _lines(found: Explanation) -> Iterator[str]:
    prediction = found.prediction
    yield (
        f"{found.symbol}: {wording.price(prediction.current_price)} → "
        f"{wording.price(prediction.predicted_price)} ({found.depth}, {prediction.model_version}, "
        f"made {wording.moment(prediction.timestamp)}, explained {wording.moment(found.generated_at)})"
    )
    yield from _section("In short", [found.summary])
    yield from ("", "What each input adds", *_contributions(found.contributions))
    told = [one.text for one in found.statements if one.text not in found.summary]
    yield from _section("In words", told)
    yield from _section("What would turn it around", [one.text for one in found.what_if])
    if found.similar_days:
        days = [
            (one.date, f"{one.distance:.2f}", wording.contribution(one.move)) for one in found.similar_days
        ]
        rows = [("DAY", "DISTANCE", "NEXT MOVE"), *days]
        yield from ("", "Days like this one", *(f"  {line}" for line in wording.table(rows, right=(1, 2))))
    yield from _section("Sources", [f"{one.kind}: {one.title}" for one in found.sources])


def _section(title: str, paragraphs: list[str]) -> Iterator[str]:
    if paragraphs:
        yield from ("", title)
    for paragraph in paragraphs:
        yield from textwrap.wrap(
            paragraph, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
        )


def _contributions(contributions: list[Contribution]) -> list[str]:
    """A table, the greatest first, with a bar for the size of each."""
    greatest = max((abs(one.value) for one in contributions), default=0.0) or 1.0
    rows = [("INPUT", "VALUE", "ADDS", "")]
    for one in sorted(contributions, key=lambda one: -abs(one.value)):
        bar = ("+" if one.value > 0 else "-") * round(_BAR * abs(one.value) / greatest)
        value = "" if one.input is None else f"{one.input:.6g}"
        rows.append((one.name, value, wording.contribution(one.value), bar))
    rows.append(("together", "", wording.contribution(sum(one.value for one in contributions)), ""))
    return [f"  {line}" for line in wording.table(rows, right=(1, 2))]
