"""Finding jobs: whoever asks sees their own account's and no others."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from explanations.models import ExplanationJob


def find(job_id: uuid.UUID, *, account_id: int | None) -> ExplanationJob | None:
    """The job of the account, with its computation; None for an unknown one and a foreign one. One query."""
    jobs = ExplanationJob.objects.select_related("computation")
    return jobs.filter(pk=job_id, account_id=account_id).first() if account_id is not None else None


def find_all(job_ids: Sequence[uuid.UUID]) -> Iterable[ExplanationJob]:
    """The jobs among `job_ids` that exist, whosever they are, with their computations. One query."""
    return ExplanationJob.objects.select_related("computation").filter(pk__in=job_ids).order_by()
