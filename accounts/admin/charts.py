"""Small charts as SVG, drawn on the server, with their numbers as text for who does not see them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

HOURS = 24
_SPARK_WIDTH, _SPARK_HEIGHT = 96, 24
_WIDTH, _HEIGHT, _GAP = 720.0, 160.0, 4.0


@dataclass(frozen=True, slots=True)
class Hour:
    """The calls of one hour; `throttled` (429) and `errors` (5xx) are among them."""

    start: datetime
    calls: int = 0
    throttled: int = 0
    errors: int = 0


def hours_until(now: datetime) -> list[datetime]:
    """The starts of the last 24 hours, the one that runs included, oldest first."""
    this = now.replace(minute=0, second=0, microsecond=0)
    return [this - timedelta(hours=HOURS - 1 - place) for place in range(HOURS)]


def sparkline(calls: Sequence[int]) -> SafeString:
    """A line of bars, one an hour, for a row of a list."""
    told = f"{sum(calls):,} calls in 24 hours"
    most = max(calls, default=0) or 1
    step = _SPARK_WIDTH / max(1, len(calls))
    bars = format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}"/>',
        (
            (f"{place * step:.1f}", f"{_SPARK_HEIGHT - height:.1f}", f"{step - 1:.1f}", f"{height:.1f}")
            for place, number in enumerate(calls)
            for height in [max(1.0, number / most * _SPARK_HEIGHT)]
        ),
    )
    return format_html(
        '<svg class="pgw-spark{}" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">'
        "<title>{}</title>{}</svg>",
        "" if any(calls) else " pgw-spark-idle",
        _SPARK_WIDTH,
        _SPARK_HEIGHT,
        _SPARK_WIDTH,
        _SPARK_HEIGHT,
        told,
        told,
        bars,
    )


def hourly_chart(hours: Sequence[Hour]) -> SafeString:
    """Bars of calls, the throttled and failed parts marked; stretches to the width it gets."""
    most = max((hour.calls for hour in hours), default=0) or 1
    step = _WIDTH / max(1, len(hours))
    bars = format_html_join(
        "", "{}", ((_bar(hour, place * step, step, most),) for place, hour in enumerate(hours))
    )
    return format_html(
        '<svg class="pgw-chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img"'
        ' aria-labelledby="pgw-chart-title pgw-chart-text">'
        '<title id="pgw-chart-title">Calls per hour</title><desc id="pgw-chart-text">{}</desc>{}</svg>',
        int(_WIDTH),
        int(_HEIGHT),
        tell(hours),
        bars,
    )


def tell(hours: Sequence[Hour]) -> str:
    """The chart in a sentence."""
    if not any(hour.calls for hour in hours):
        return "No calls in the last 24 hours."
    busiest = max(hours, key=lambda hour: hour.calls)
    return (
        f"{sum(hour.calls for hour in hours):,} calls in the last 24 hours, "
        f"{sum(hour.throttled for hour in hours):,} of them throttled and "
        f"{sum(hour.errors for hour in hours):,} failed; "
        f"the busiest hour began at {busiest.start:%H:%M} UTC with {busiest.calls:,}."
    )


def _bar(hour: Hour, x: float, step: float, most: int) -> SafeString:
    parts = []
    base = _HEIGHT
    fine = max(0, hour.calls - hour.throttled - hour.errors)
    for kind, number in (("calls", fine), ("throttled", hour.throttled), ("errors", hour.errors)):
        # What happened at all is to be seen, however little it is beside the rest.
        height = max(3.0, number / most * (_HEIGHT - 9)) if number else 0.0
        base -= height
        if height:
            parts.append((kind, f"{x + _GAP / 2:.1f}", f"{base:.1f}", f"{step - _GAP:.1f}", f"{height:.1f}"))
    told = (
        f"{hour.start:%H:%M} UTC: {hour.calls:,} calls, {hour.throttled:,} throttled, {hour.errors:,} failed"
    )
    rects = format_html_join("", '<rect class="pgw-{}" x="{}" y="{}" width="{}" height="{}"/>', parts)
    return format_html("<g><title>{}</title>{}</g>", told, rects)
