"""The matrix as a table: on the terminal after a run, and as docs/FAULTS.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.matrix.cases import CASES, FAULTS, VICTIMS, Case
from tests.faults.matrix.running import Seen

PAGE = Path(__file__).resolve().parents[3] / "docs/FAULTS.md"
_BEGIN, _END = "<!-- matrix -->", "<!-- end of matrix -->"


def line(seen: Seen) -> str:
    """One case, for the terminal, with all that is wrong below it."""
    if seen.skipped:
        return f"  --   {seen.case.name:22} {seen.skipped}"
    mark = "WRONG" if seen.complaints else "ok"
    recovery = "" if seen.recovery_s is None else f"{seen.recovery_s:4.1f} s"
    told = f"{mark:>5}  {seen.case.name:22} {recovery}  {_alert(seen) or '-':22} {seen.summary}"
    wrong = [f"\n         - {complaint}" for complaint in seen.complaints]
    log = f"\n         - log: {seen.log}" if seen.complaints else ""
    return told + "".join(wrong) + log


def table(seen: Sequence[Seen]) -> str:
    """All cases, and how many are green."""
    ran = [one for one in seen if not one.skipped]
    green = sum(not one.complaints for one in ran)
    lines = [f"       {'case':22} {'back':6}  {'alert':22} seen"]
    for one in seen:
        lines += [f"       {one.case.expects}"] if one.case.expects else []
        lines += [line(one)]
    return "\n".join([*lines, f"{green} of {len(ran)} cases are green, {len(seen) - len(ran)} were not run"])


def write(seen: Iterable[Seen]) -> None:
    """Put what was seen into the page; cases that were not run keep what they had."""
    text = PAGE.read_text()
    head, _, rest = text.partition(_BEGIN)
    before, _, tail = rest.partition(_END)
    meant = {case.name: case.expects for case in CASES}
    kept = {name: row for name, row in rows_of(before).items() if meant.get(name, "") in row}
    rows = {**kept, **{one.case.name: _row(one) for one in seen}}
    body = "\n".join(_chapters(rows))
    PAGE.write_text(f"{head}{_BEGIN}\n\n{body}\n{_END}{tail}")


def rows_of(text: str) -> dict[str, str]:
    """The rows of tables in `text`, by the case that they begin with."""
    rows = [row for row in text.splitlines() if row.startswith("| `")]
    return {row.split("`")[1]: row for row in rows}


def is_green(row: str) -> bool:
    """Whether a row tells what was seen; complaints and what was not run stand in the same place."""
    return re.match(r"\| `[^|]+\|[^|]+\| \d+ answers, ", row) is not None


def _chapters(rows: dict[str, str]) -> Iterable[str]:
    for victim, name in VICTIMS.items():
        yield f"## {name[0].upper()}{name[1:]}\n"
        yield "| Case | What must be seen | Seen | Well after | Alert | Run on |"
        yield "|---|---|---|---|---|---|"
        for case in CASES:
            if case.victim == victim:
                yield rows.get(case.name, _row(Seen(case, skipped=case.not_applicable or "not run yet")))
        yield ""


def _row(seen: Seen) -> str:
    case = seen.case
    if seen.skipped:
        return f"| `{case.name}` | {case.expects or 'Not applicable'} | {seen.skipped} |  |  |  |"
    told = "; ".join(seen.complaints) if seen.complaints else seen.summary
    recovery, alert, day = f"{seen.recovery_s:.1f} s", _alert(seen) or "none", datetime.now(UTC).date()
    return f"| `{case.name}` | {case.expects} | {told} | {recovery} | {alert} | {day} |"


def _alert(seen: Seen) -> str:
    """What was to fire, or what else did."""
    if expected := seen.case.alerts & seen.alerts:
        return ", ".join(sorted(expected))
    return ", ".join(sorted(seen.alerts))


def kinds() -> str:
    """What each fault is, as the page lists it."""
    return "\n".join(f"| `{name}` | {what} |" for name, what in FAULTS.items())


def is_complete(cases: Sequence[Case] = CASES) -> bool:
    """True if every fault of every victim is a case, once."""
    return sorted(case.name for case in cases) == sorted(f"{v}-{f}" for v in VICTIMS for f in FAULTS)
