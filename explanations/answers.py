"""How jobs and explanations are shown over REST. Pure."""

from __future__ import annotations

import math
import uuid
from datetime import datetime
from typing import Annotated

import msgspec

from events.explanations import DEPTHS
from events.kinds import NotNegative, one_of
from events.prediction_updated import Share
from explanations.documents import ExplanationDocument

JOB_PATH = "/api/explanation/job/"
_LONGEST_RETRY_S = 10


_Depth = Annotated[str, one_of(*DEPTHS)]


class JobAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an order. `estimated_seconds` from now; 0 for a job that has ended."""

    job_id: uuid.UUID
    status: Annotated[str, one_of("queued", "running", "done", "failed", "cancelled")]
    depth: _Depth
    estimated_seconds: NotNegative
    status_url: Annotated[str, msgspec.Meta(max_length=64, pattern=f"^{JOB_PATH}[0-9a-f-]{{36}}$")]


class JobPending(msgspec.Struct, frozen=True, kw_only=True):
    """A job that has not ended: `progress` from 0 to 1, `stage` in the explainer's own words."""

    job_id: uuid.UUID
    status: Annotated[str, one_of("queued", "running")]
    progress: Share
    stage: Annotated[str, msgspec.Meta(max_length=500, pattern=r"^[^\x00]*$")]
    depth: _Depth
    estimated_seconds: NotNegative


class JobDone(ExplanationDocument, frozen=True, kw_only=True):
    """A job that is done, with its explanation."""

    status: Annotated[str, one_of("done")]


def status_url(job_id: uuid.UUID) -> str:
    """Where the job is asked after."""
    return f"{JOB_PATH}{job_id}"


def remaining_s(typical_s: float, *, created_at: datetime, now: datetime) -> float:
    """Seconds that a job will probably take from `now`; a tenth of the typical time where that has passed."""
    waited_s = max(0.0, (now - created_at).total_seconds())
    return round(max(typical_s - waited_s, typical_s / 10, 0.1), 1)


def retry_after_s(remaining: float) -> int:
    """When to ask again: whole seconds, 1 to 10."""
    return min(max(1, math.ceil(remaining)), _LONGEST_RETRY_S)


def show_done(document: ExplanationDocument, job_id: uuid.UUID) -> JobDone:
    """The answer to whoever asks after the job `job_id`, which may share its explanation with others."""
    return JobDone(**{**msgspec.structs.asdict(document), "job_id": job_id}, status="done")


def etag(id_: uuid.UUID) -> str:
    """A weak validator: what is done does not change any more."""
    return f'W/"explanation-{id_.hex}"'
