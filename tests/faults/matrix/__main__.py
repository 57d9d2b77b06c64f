"""Run the matrix, or the cases that are named, and print the table; the status is 1 unless all are green.

``python -m tests.faults.matrix [--write] [CASE ...]``: a case is `postgres-kill`, a row `postgres`.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time


def main() -> int:
    """Returns the exit status."""
    options = _options()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
    os.environ["SECRET_KEY"] = "only-for-tests-only-for-tests-only-for-tests"
    os.environ["DATABASE_URL"] = "sqlite:///.data/faults.sqlite3"  # of this process, which asks nothing of it
    os.environ["LOG_LEVEL"] = "WARNING"
    import django

    django.setup()
    from tests.faults.matrix import report
    from tests.faults.matrix.cases import CASES
    from tests.faults.matrix.running import run_all
    from tests.programs import find

    chosen = [case for case in CASES if not options.cases or {case.name, case.victim} & {*options.cases}]
    if not chosen:
        sys.stderr.write(f"no case is named {' or '.join(options.cases)}\n")
        return 2
    promtool = find("promtool", "prometheus")
    for name, level in (
        ("httpx", logging.WARNING),
        ("events", logging.ERROR),
        ("observability", logging.CRITICAL),
    ):
        logging.getLogger(name).setLevel(level)  # what the pipeline of the tests meets is no news
    began = time.monotonic()
    seen = []
    for one in run_all(chosen, promtool):
        seen.append(one)
        sys.stdout.write(report.line(one) + "\n")
        sys.stdout.flush()
        if options.write:
            report.write([one])
    sys.stdout.write("\n" + report.table(seen) + f"\n{time.monotonic() - began:.0f} s\n")
    return 1 if any(one.complaints for one in seen) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.matrix", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--write", action="store_true", help="renew docs/FAULTS.md with what was seen")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
