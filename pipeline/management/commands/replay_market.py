"""Runs the reference pipeline: replays real daily bars, or evaluates itself. Decodes options."""

from __future__ import annotations

import asyncio
import math
import signal
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

if TYPE_CHECKING:
    from pipeline.bars import Series
    from pipeline.model import WalkForward
    from pipeline.schedule import Day


class Command(BaseCommand):
    """`manage.py replay_market`."""

    help = (
        "Replay real daily stock bars (2000-2013) as a prediction pipeline: publishes each day's "
        "predictions on NATS. The model is fitted on the past only."
    )
    # It needs neither database nor URLs, and shall start at once.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Options are read as text and checked in `handle`, however the command is called."""
        parser.add_argument("--speed", default="1.0", help="trading days per second, above 0 (1)")
        parser.add_argument("--start", help="first day, YYYY-MM-DD (the first predictable day)")
        parser.add_argument("--symbols", help="for example AAPL,MSFT (all that there are)")
        parser.add_argument("--loop", action="store_true", help="begin again after the last day")
        parser.add_argument(
            "--evaluate",
            action="store_true",
            help="print how good the predictions are against a naive forecast, and exit",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Evaluate, or publish until the days end or SIGTERM or SIGINT comes."""
        speed = read_speed(options["speed"])
        start = None if options["start"] is None else read_start(options["start"])
        walks = predict(options["symbols"])
        if options["evaluate"]:
            self._evaluate(walks)
            return

        from pipeline.schedule import flow, order_days

        days = order_days(walks)
        first = find_first_day(start, days)
        chosen = flow(days, start=first, loop=options["loop"])
        self.stdout.write(describe(walks, first, days[-1].date, speed))
        self.stdout.flush()
        published = asyncio.run(publish(settings.GATEWAY.nats_url, chosen, speed))
        self.stdout.write(f"replay ended after {published} days")

    def _evaluate(self, walks: list[WalkForward]) -> None:
        from pipeline.evaluation import evaluate, render

        self.stdout.write(render(evaluate(walks)))


def read_speed(value: object) -> float:
    """Days per second; CommandError unless it is a finite number above 0."""
    try:
        speed = float(str(value))
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise CommandError(f"--speed {value}: give trading days per second above 0, such as 0.5 or 20")
    return speed


def read_start(value: object) -> date:
    """A day; CommandError unless it reads YYYY-MM-DD."""
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise CommandError(f"--start {value}: give a day as YYYY-MM-DD, such as 2008-09-15") from None


def find_first_day(start: date | None, days: list[Day]) -> date:
    """The first day on or after `start` (None: of all); CommandError where there is none."""
    if not days:
        raise CommandError("these symbols have too few bars for a prediction: choose others")
    first = next((day.date for day in days if start is None or day.date >= start), None)
    if first is None:
        raise CommandError(
            f"--start {start}: no bars that late; give a day from {days[0].date} to {days[-1].date}"
        )
    return first


def choose_symbols(value: object, series: dict[str, Series]) -> list[Series]:
    """The bars of the symbols in "A,B" (None: all); CommandError where one is not known."""
    if value is None:
        return list(series.values())
    symbols = {part.strip() for part in str(value).split(",") if part.strip()}
    unknown = sorted(symbols - series.keys())
    if unknown or not symbols:
        problem = f"no bars for {', '.join(unknown)}" if unknown else "no symbol given"
        raise CommandError(f"--symbols {value}: {problem}; choose from {','.join(series)}")
    return [series[symbol] for symbol in sorted(symbols)]


def predict(symbols: object) -> list[WalkForward]:
    """Load the bars of `symbols` and predict them; CommandError where data or numpy are missing."""
    try:
        from pipeline.bars import BarsUnavailable, load_series
        from pipeline.model import walk_forward
    except ModuleNotFoundError as error:
        raise CommandError(
            f"the package {error.name} is missing; run: pip install -r requirements/embedded.txt"
        ) from error
    try:
        series = load_series()
    except BarsUnavailable as error:
        raise CommandError(str(error)) from error
    return [walk_forward(one) for one in choose_symbols(symbols, series)]


def describe(walks: list[WalkForward], first: date, last: date, speed: float) -> str:
    """The line that says what is about to be published, and that it is not live."""
    symbols = ", ".join(walk.series.symbol for walk in walks if len(walk))
    return (
        f"REPLAY of real daily bars from {first} to {last} (no live market data): "
        f"{symbols} at {speed:g} trading days a second"
    )


async def publish(url: str, days: Iterable[Day], speed: float) -> int:
    """Replay until the days end or a signal comes; CommandError where NATS cannot be used."""
    from events.connection import ServerTooOld
    from pipeline.replay import ConnectionLost, replay

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        return await replay(url, days, days_per_second=speed, stop=stop)
    except (ConnectionLost, ServerTooOld) as error:
        raise CommandError(str(error)) from error
