"""One case from beginning to end: steady work, the fault, how long it takes to be well, the judgement."""

from __future__ import annotations

import functools
import itertools
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.faults.matrix import alarms, judging
from tests.faults.matrix.alarms import Scraper
from tests.faults.matrix.cases import LASTS_S, ROLES, Case
from tests.faults.matrix.ground import Ground, Impossible, standing
from tests.faults.matrix.inflicting import Fault
from tests.faults.matrix.judging import Span
from tests.faults.matrix.pipeline import SYMBOLS
from tests.faults.matrix.work import Caller, Work, probe, prober
from tests.stack import eventually

RECOVERS_WITHIN_S = 10.0
_BEFORE_S = 10.0
_HANG_S = 60.0


@dataclass
class Seen:
    """What a case has shown."""

    case: Case
    summary: str = ""
    recovery_s: float | None = None
    alerts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)
    skipped: str = ""
    log: Path | None = None


def run_all(cases: Iterable[Case], promtool: str) -> Iterator[Seen]:
    """Run `cases`, one after the other; those of one victim that ask nothing special stand on one ground."""
    for _, some in itertools.groupby(cases, key=_ground_of):
        waiting = deque(some)
        while waiting:
            yield from _run_on_one_ground(waiting, promtool)


def _ground_of(case: Case) -> tuple[str, str]:
    """The victim, and the fault if it needs a ground of its own."""
    return case.victim, case.fault if case.fault in ("disk_full", "clock_step") else ""


def _run_on_one_ground(waiting: deque[Case], promtool: str) -> Iterator[Seen]:
    """Run cases until there is none, or one has left something broken."""
    while waiting and waiting[0].not_applicable:
        case = waiting.popleft()
        yield Seen(case, skipped=case.not_applicable)
    if not waiting:
        return
    try:
        with standing(waiting[0].victim, waiting[0].fault) as ground:
            is_sound = True
            while waiting and is_sound:
                seen = run_case(waiting.popleft(), ground, promtool=promtool)
                is_sound = not seen.complaints
                yield seen
    except Impossible as error:
        yield Seen(waiting.popleft(), skipped=str(error))


def run_case(
    case: Case, ground: Ground, *, lasts_s: float | None = None, promtool: str | None = None
) -> Seen:
    """Run `case` on `ground`. Without `promtool` no alerts are looked at, and recovery may take a minute."""
    ground.victim = case.victim
    seen = Seen(case, log=ground.stack.log_path)
    scraper = Scraper(ground.urls) if promtool else None
    with Work(ground) as work:
        time.sleep(_BEFORE_S if promtool else 1.0)
        fault = Fault(ground, case.fault)
        began_at = time.monotonic()
        fault.begin()
        time.sleep(LASTS_S[case.fault] if lasts_s is None else lasts_s)
        held_until = time.monotonic()
        fault.end()
        ended_at = time.monotonic()
        try:
            _until_well(ground, work)
        except AssertionError as error:
            seen.complaints.append(f"not well within {_HANG_S:.0f} s: {error}")
        well_at = time.monotonic()
        seen.recovery_s = well_at - ended_at
        time.sleep(1.0)
        work.stop()
        _until_settled(ground, work)
    if scraper is not None:
        scraper.stop()
    seen.complaints += judging.complaints(case, ground, work, Span(began_at, ended_at, well_at))
    if scraper is not None and promtool is not None:
        seen.complaints += _alerts(seen, scraper, began_at, held_until, promtool)
        if seen.recovery_s > RECOVERS_WITHIN_S:
            seen.complaints.append(f"recovery took {seen.recovery_s:.1f} s")
    seen.summary = _summary(work, began_at, well_at)
    return seen


def run_at_once(cases: Sequence[Case], ground: Ground, *, lasts_s: float) -> list[str]:
    """The faults of all `cases` at once, under work that went well before; what is wrong then.

    Nothing is measured: it has a minute to be well.
    """
    whole = Case("stores", "at once", "", may_flap=ROLES, refused=frozenset(judging.DECLARED))
    with Work(ground, pause_s=0.5) as work:
        _until_well(ground, work)
        began_at = time.monotonic()
        faults = [_fault_of(case, ground) for case in cases]
        for fault in faults:
            fault.begin()
        time.sleep(lasts_s)
        for fault in faults:
            fault.end()
        ended_at = time.monotonic()
        _until_well(ground, work)
        well_at = time.monotonic()
        work.stop()
        _until_settled(ground, work)
    return judging.complaints(whole, ground, work, Span(began_at, ended_at, well_at))


def _fault_of(case: Case, ground: Ground) -> Fault:
    ground.victim = case.victim
    return Fault(ground, case.fault)


def _until_well(ground: Ground, work: Work) -> None:
    """Return when every role is ready, and an update, an order and a socket are through again."""
    caller = Caller(ground, 5.0)
    try:
        for url in ground.urls.values():
            with prober(url) as client:
                ready = functools.partial(probe, client, "/health/ready")
                eventually(lambda ready=ready: ready() == 200, timeout_s=_HANG_S)  # type: ignore[misc]
        taken, heard = len(work.pipeline.taken[SYMBOLS[0]]), len(work.pipeline.follower.seqs)
        eventually(lambda: len(work.pipeline.taken[SYMBOLS[0]]) > taken + 1, timeout_s=_HANG_S)
        eventually(lambda: len(work.pipeline.follower.seqs) > heard, timeout_s=_HANG_S)
        eventually(lambda: _is_fresh(caller), timeout_s=_HANG_S)
        eventually(
            lambda: caller.status(f"/api/prediction/{SYMBOLS[0]}/history?limit=1") == 200, timeout_s=_HANG_S
        )
        before = len(work.account.accepted())
        eventually(lambda: len(work.account.accepted()) > before, timeout_s=_HANG_S)
        job = work.account.accepted()[-1]
        eventually(lambda: caller.status(f"/api/explanation/job/{job}") == 200, timeout_s=_HANG_S)
    finally:
        caller.close()


def _is_fresh(caller: Caller) -> bool:
    answer, _ = caller.call("", "GET", f"/api/prediction/{SYMBOLS[0]}")
    return answer.status == 200 and not any(stale for _, stale in answer.predictions)


def _until_settled(ground: Ground, work: Work) -> None:
    """Wait until all that was taken is stored and told and every accepted job has ended, or does not come."""
    follower = work.pipeline.follower

    def is_settled() -> bool:
        try:
            unfinished = ground.stack.rows(
                "SELECT count(*) FROM explanations_computation WHERE state IN ('queued', 'running')"
            )[0][0]
            owed = ground.stack.rows("SELECT count(*) FROM outbox")[0][0]
            stored = sum(ground.stack.count_rows(symbol) for symbol in SYMBOLS)
            (last,) = ground.stack.rows(
                "SELECT max(seq) FROM predictions_prediction WHERE symbol = %s", SYMBOLS[0]
            )[0]
        except psycopg.OperationalError:
            return False
        is_stored = stored >= sum(map(len, work.pipeline.taken.values()))
        return not unfinished and not owed and is_stored and last in follower.seqs

    try:
        eventually(is_settled, timeout_s=_HANG_S)
    except AssertionError:
        return  # the judgement says what is missing


def _alerts(seen: Seen, scraper: Scraper, began_at: float, held_until: float, promtool: str) -> list[str]:
    try:
        already, fired = alarms.fired(scraper.looks, began_at, held_until, promtool)
    except RuntimeError as error:
        return [str(error)]
    # A machine that is busy with something else is slow before the fault, too: that proves nothing of it.
    seen.alerts = fired - already
    expected = seen.case.alerts
    if expected & already:
        return [f"{' and '.join(sorted(expected & already))} fired before the fault"]
    if expected:
        return [] if expected & seen.alerts else [f"{' or '.join(sorted(expected))} does not fire"]
    severe = {name for name in seen.alerts if alarms.severities()[name] == "page"}
    return [f"{name} fires, and nobody need be woken" for name in sorted(severe)]


def _summary(work: Work, began_at: float, well_at: float) -> str:
    """What callers met between the beginning of the fault and the end of the recovery."""
    during = [answer for answer in work.account.answers if began_at <= answer.at < well_at]
    good = sum(200 <= answer.status < 500 for answer in during)
    refused = [answer.kind for answer in during if answer.status == 503]
    kinds = f" ({', '.join(sorted(set(refused)))})" if refused else ""
    broken = sum(answer.status == 0 for answer in during)
    stale = any(stale for answer in during if answer.kind == "known" for _, stale in answer.predictions)
    orders, events = len(work.account.accepted()), sum(map(len, work.pipeline.taken.values()))
    told = f"{good} answers, {len(refused)} x 503{kinds}, {broken} broken; {orders} orders, {events} events"
    return told + (", reads marked stale" if stale else "")
