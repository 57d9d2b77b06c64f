"""What must stay true, whatever was broken: each rule gives the complaints that it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.matrix.cases import Case
from tests.faults.matrix.ground import STALE_AFTER_S, Ground
from tests.faults.matrix.pipeline import SYMBOLS
from tests.faults.matrix.work import Account, Work

DECLARED = {
    "known": {200, 503},
    "old": {200, 503},
    "unknown": {404, 503},
    "batch": {200, 503},
    "history": {200, 503},
    "limited": {200, 503},
    "conditional": {200, 304, 503},
    "order": {202, 503},
}
_WHERE_CALLERS_BREAK = {"kill", "freeze", "reset", "half_open"}
_ROUNDED_S = 0.01
_STORED = "SELECT predicted_price FROM predictions_prediction WHERE symbol = %s AND predicted_price > %s"


@dataclass(frozen=True, slots=True)
class Span:
    """When the fault began and ended and all was well again, on the monotonic clock."""

    began_at: float
    ended_at: float
    well_at: float


def complaints(case: Case, ground: Ground, work: Work, span: Span) -> list[str]:
    """All that is wrong."""
    account = work.account
    return [
        *_undeclared(case, account),
        *_refused(case, account, span),
        *_dishonest(case, account, span),
        *_probed_wrong(case, account, span),
        *_orders(ground, account),
        *_events(ground, work),
        *_socket(ground, work),
    ]


def _undeclared(case: Case, account: Account) -> Iterator[str]:
    """Answers that no caller was promised."""
    may_break = _breaks_callers(case)
    seen: Counter[str] = Counter()
    for answer in account.answers:
        if answer.status == 0 and not may_break:
            seen[f"{answer.kind}: no answer: {answer.detail}"] += 1
        elif answer.status and answer.status not in DECLARED[answer.kind]:
            seen[f"{answer.kind}: {answer.status} {answer.detail}"] += 1
        elif answer.status == 503 and not answer.retry_after:
            seen[f"{answer.kind}: 503 without Retry-After {answer.detail}"] += 1
    for told, count in seen.most_common(6):
        yield f"{count} x {told}"
    for kind in DECLARED:
        if not any(answer.kind == kind and answer.is_good for answer in account.answers):
            yield f"{kind}: was never answered"


def _breaks_callers(case: Case) -> bool:
    """Whether callers lose their own line."""
    return case.victim == "web" and case.fault in _WHERE_CALLERS_BREAK


def _refused(case: Case, account: Account, span: Span) -> Iterator[str]:
    """Answers 503 where the case promises others, and kinds that had no answer while the fault went on."""
    refused = Counter(answer.kind for answer in account.answers if answer.status == 503)
    for kind, count in refused.items():
        if kind not in case.refused:
            yield f"{count} x {kind}: 503"
    if _breaks_callers(case):
        return
    for kind in DECLARED.keys() - case.refused:
        if not any(
            answer.kind == kind
            and answer.is_good
            and span.began_at < answer.at <= answer.came_at < span.ended_at
            for answer in account.answers
        ):
            yield f"{kind}: was not answered meanwhile"


def _dishonest(case: Case, account: Account, span: Span) -> Iterator[str]:
    """Values whose mark does not say what their age says, and old ones that come as fresh."""
    told = [(answer, age, stale) for answer in account.answers for age, stale in answer.predictions]
    wrong = sum(
        stale is not (age > STALE_AFTER_S) for _, age, stale in told if abs(age - STALE_AFTER_S) > _ROUNDED_S
    )
    if wrong:
        yield f"{wrong} of {len(told)} predictions are marked wrongly"
    hour_old = [stale for answer, _, stale in told if answer.kind == "old"]
    if not hour_old or not all(hour_old):
        yield "what is an hour old was not always marked stale"
    if case.fault != "clock_step" and any(age < -1 for _, age, _ in told):
        yield "a prediction is younger than now"


def _probed_wrong(case: Case, account: Account, span: Span) -> Iterator[str]:
    """Liveness that was not 200, and readiness that did not follow what the role needs."""
    for role in ("web", "bridge", "worker"):
        is_victim = role == case.victim and case.fault in ("kill", "freeze")
        live = {
            status for _, who, path, status in account.probes if (who, path) == (role, "/health/live")
        } - ({0} if is_victim else set())
        if live != {200}:
            yield f"{role}: /health/live was {sorted(live)}"
        ready = [
            (at, status) for at, who, path, status in account.probes if (who, path) == (role, "/health/ready")
        ]
        during = {status for at, status in ready if span.began_at <= at < span.well_at} - (
            {0} if is_victim else set()
        )
        if role in case.unready and 503 not in during:
            yield f"{role}: /health/ready stayed {sorted(during)}"
        if role not in case.unready | case.may_flap and not during <= {200}:
            yield f"{role}: /health/ready was {sorted(during)}"
        if not ready or ready[-1][1] != 200:
            yield f"{role}: /health/ready is not 200 at the end"


def _orders(ground: Ground, account: Account) -> Iterator[str]:
    """Accepted jobs that have not ended, and effects that came twice."""
    doubled = [jobs for jobs in account.jobs.values() if len(jobs) > 1]
    if doubled:
        yield f"{len(doubled)} orders that were repeated with their key are several jobs"
    states = dict(
        ground.stack.rows(
            "SELECT c.state, count(*) FROM explanations_explanationjob j "
            "JOIN explanations_computation c ON c.id = j.computation_id "
            "WHERE j.id = ANY(%s::uuid[]) GROUP BY 1",
            account.accepted(),
        )
    )
    if states != {"done": len(account.accepted())}:
        yield f"{len(account.accepted())} orders were accepted, their jobs are {states}"
    left = ground.stack.rows(
        "SELECT count(*) FROM explanations_explanationjob j JOIN explanations_computation c"
        " ON c.id = j.computation_id WHERE (j.ended_at IS NULL) <> (c.finished_at IS NULL)"
    )[0][0]
    if left:
        yield f"{left} jobs do not know their end"
    computations = ground.stack.rows("SELECT count(*) FROM explanations_computation")[0][0]
    effects = ground.stack.rows("SELECT count(*), count(DISTINCT computation) FROM effects")[0]
    if effects != (computations, computations):
        yield f"{computations} computations had {effects[0]} effects, {effects[1]} of them any"
    owed = ground.stack.rows("SELECT count(*) FROM outbox")[0][0]
    if owed:
        yield f"{owed} messages are still owed"


def _events(ground: Ground, work: Work) -> Iterator[str]:
    """Predictions that were taken and are not stored, or stored twice."""
    for symbol in SYMBOLS:
        stored = [
            price
            for (price,) in ground.stack.rows(
                _STORED,
                symbol,
                work.pipeline.first_price,
            )
        ]
        taken = work.pipeline.taken[symbol]
        if sorted(stored) != sorted(taken):
            missing, strange = set(taken) - set(stored), set(stored) - set(taken)
            yield (
                f"{symbol}: {len(taken)} taken, {len(stored)} stored, {len(missing)} missing, "
                f"{len(strange)} never acknowledged, {len(stored) - len(set(stored))} twice"
            )


def _socket(ground: Ground, work: Work) -> Iterator[str]:
    """Updates that the socket has not and was not told of."""
    follower = work.pipeline.follower
    query = "SELECT seq FROM predictions_prediction WHERE symbol = %s ORDER BY seq"
    stored = [seq for (seq,) in ground.stack.rows(query, SYMBOLS[0])]
    got = set(follower.seqs)
    if follower.seqs and follower.seqs[0] in stored:
        stored = stored[stored.index(follower.seqs[0]) :]
    untold = [seq for seq in stored if seq not in got and not follower.is_told_of(seq)]
    if untold:
        yield (
            f"the socket misses {len(untold)} of {len(stored)} updates that it was not told of: "
            f"{untold[:5]}, {follower.closes} closes, gaps {follower.gaps[:5]}, errors {follower.errors[:5]}"
        )
    if not follower.gaps and len(follower.seqs) != len(got):
        yield f"the socket got {len(follower.seqs) - len(got)} updates twice"
