"""The page of results: where it is, what all of its sections share, and how one is told and kept."""

from __future__ import annotations

from pathlib import Path

from benchmarks.side_by_side import command, machine
from benchmarks.side_by_side.ground import ROOT
from loadtests.scenario import Result

RESULTS = ROOT / "loadtests" / "RESULTS.md"
_TITLE = "# Results of the load tests"
_HEADING = "## Load"
_NOTES = """\
Users are played by Locust's `FastHttpUser`, each over one connection and with an address of its own (told as
a proxy would). A call is counted if it begins within the counted time, and all of those are waited for. p50,
p95 and p99 are of answers that were served or confirmed by a 304. A 429 to a caller who has used up what its
tier allows is a declared answer; everything else that was not asked for is an error, an overloaded 503 and a
connection without an answer among them.

- A program reads a prediction (45 %), reads one again with its ETag (25 %), reads a batch of 10 to 50 (15 %),
  two pages of history (13 %), or orders an explanation and asks after it until it is there (2 %).
- A person logs in, works with the token, refreshes it, and logs in anew about every 5 minutes; a password
  costs a quarter of a second of CPU by design.
- CPU is per cent of one core over the counted time; PSS counts memory that processes share once, RSS for
  each. Access lines are written, as they are by default.

"""
_OWN = (
    "uvicorn",
    "httptools",
    "uvloop",
    "Django",
    "djangorestframework",
    "a2wsgi",
    "redis",
    "nats-py",
    "psycopg",
)
_GENERATOR = ("locust", "geventhttpclient", "gevent")


def tell(page: Path | None, module: str, scenario: str, result: Result) -> None:
    """Print what `module` has measured, and keep it in `page` if there is one."""
    command.print_section(_HEADING, scenario, result.section)
    if page is not None:
        command.keep(
            page,
            module,
            heading=_HEADING,
            about=_about(),
            scenario=scenario,
            section=result.section,
            title=_TITLE,
        )


def _about() -> list[str]:
    """What all sections share: how it is measured, on what, with which versions."""
    shared = "generator, feeder, servers and gateway share it"
    return [
        _NOTES,
        *machine.describe_own(_OWN, shared=shared),
        f"- Generator: {machine.versions(_GENERATOR)}",
    ]
