"""Verdicts as tables of Markdown: what must be flat, and what may grow, with its rate. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.side_by_side.tables import align
from loadtests.soak.flatness import UNITS, Verdict

# What grows by less than this an hour is not worth a line.
_WORTH_A_LINE = 1.0


def tell(verdicts: Sequence[Verdict]) -> str:
    """Both tables."""
    bound = [one for one in verdicts if one.series.kind is not None]
    growing = [one for one in verdicts if one.series.kind is None and one.per_hour >= _WORTH_A_LINE]
    surely = sum(not one.is_flat for one in bound)
    return "\n\n".join(
        [
            f"{len(bound)} series must be flat; {surely or 'none'} rose surely faster than its bound.",
            align(
                [
                    [
                        "Must be flat",
                        "after settling",
                        "at the end",
                        "an hour",
                        "±",
                        "bound an hour",
                        "is it",
                    ],
                    *(_bound_line(one) for one in bound),
                ]
            ),
            align(
                [
                    ["Grows by design, or rises and falls", "after settling", "at the end", "an hour", "±"],
                    *(_line(one) for one in sorted(growing, key=lambda one: -one.per_hour)),
                ]
            ),
        ]
    )


def _line(verdict: Verdict) -> list[str]:
    return [
        verdict.series.name,
        f"{verdict.first:,.1f}",
        f"{verdict.last:,.1f}",
        f"{verdict.per_hour:+,.1f}",
        f"{verdict.error:,.1f}",
    ]


def _bound_line(verdict: Verdict) -> list[str]:
    unit = UNITS.get(verdict.series.kind, "") if verdict.series.kind else ""
    told = f"{verdict.bound:g} {unit}".strip()
    return [*_line(verdict), told, "flat" if verdict.is_flat else "**RISES**"]
