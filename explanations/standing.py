"""How a job stands, in the form in which whoever asks is told, by whichever way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from explanations import answers, estimates, store
from explanations.answers import JobDone, JobPending
from explanations.models import Computation, ExplanationJob

UNCACHED = {"Cache-Control": "no-store", "Vary": "Authorization, Origin, X-API-Key"}


def pending(job: ExplanationJob, now: datetime) -> tuple[dict[str, str], JobPending]:
    """Headers and body of the 202 for a job that has not ended. Raises Django's database errors."""
    computation = job.computation
    left_s = remaining_s(job, estimates.typical_s(computation.depth), now)
    body = JobPending(
        job_id=job.pk,
        status=job.state,
        progress=computation.progress,
        stage=computation.stage,
        depth=computation.depth,
        estimated_seconds=left_s,
    )
    return {**UNCACHED, "Retry-After": str(answers.retry_after_s(left_s))}, body


def done(job: ExplanationJob) -> tuple[str, Callable[[], JobDone]]:
    """The validator of the 200 for a job that is done, and what makes its body."""
    document = store.document_of(job.computation)
    return answers.etag(job.pk), lambda: answers.show_done(document, job.pk)


def remaining_s(job: ExplanationJob, typical_s: float, now: datetime) -> float:
    """Seconds that the job will probably take from `now`; 0 for one that has ended."""
    if job.state not in Computation.UNFINISHED:
        return 0.0
    return answers.remaining_s(typical_s, created_at=job.computation.created_at, now=now)
