"""What the command lines of the measurements share: their options, and the file that results are kept in."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.side_by_side.ground import ROOT
from benchmarks.side_by_side.tables import replace_section

RESULTS = ROOT / "benchmarks" / "RESULTS.md"


def make_parser(
    module: str,
    description: str | None,
    *,
    scenarios: list[str],
    contenders: list[str] | None = None,
    database: str = "sqlite",
    results: Path = RESULTS,
) -> argparse.ArgumentParser:
    """A parser with the options that every measurement has; without `contenders` there are none to name."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_list(parser, "--scenarios", scenarios, default=scenarios)
    if contenders is not None:
        _add_list(parser, "--contenders", contenders, default=None)
    parser.add_argument(
        "--database", default=database, help="sqlite, postgres (a server of its own) or a URL (%(default)s)"
    )
    parser.add_argument(
        "--nats-sync",
        choices=("always", "default"),
        default="always",
        help="always, as embedded; or NATS' own",
    )
    parser.add_argument(
        "--write",
        type=Path,
        nargs="?",
        const=results,
        metavar="FILE",
        help=f"keep results ({results.relative_to(ROOT)})",
    )
    return parser


def _add_list(
    parser: argparse.ArgumentParser, name: str, known: list[str], *, default: list[str] | None
) -> None:
    def read(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"not known: {', '.join(sorted(unknown))}")
        return chosen

    which = "those that the scenario asks for" if default is None else "all"
    meaning = f"of {', '.join(known)} ({which})"
    parser.add_argument(name, type=read, default=default, metavar="A,B", help=meaning)


def keep(
    path: Path,
    module: str,
    *,
    heading: str,
    about: Sequence[str],
    scenario: str,
    section: str,
    title: str = "# Results of the benchmarks",
) -> None:
    """Put a scenario's section into the file; those of other scenarios stay, as does what others wrote."""
    command = shlex.join(["python", "-m", module, *sys.argv[1:]])
    measured = f"{section}\nMeasured on {datetime.now(UTC):%Y-%m-%d}: `{command}`."
    text = path.read_text() if path.exists() else f"{title}\n"
    text = replace_section(text, heading, "\n".join(about))
    path.write_text(replace_section(text, f"{heading}: {scenario}", measured))


def print_section(heading: str, scenario: str, section: str) -> None:
    """Results go to the output."""
    sys.stdout.write(f"{heading}: {scenario}\n\n{section}\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Everything else goes to the error output."""
    sys.stderr.write(text + "\n")
