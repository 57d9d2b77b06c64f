"""What can go wrong with explanations, as the answers that callers get."""

from __future__ import annotations

from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, ParseError

from explanations.idempotency import KeyReused, MalformedKey
from explanations.ordering import JobFinished, UnknownJob
from explanations.pinning import NothingToExplain
from predictions.reads import NoStoreReachable
from predictions.views import StoreUnavailable, UnknownSymbol

OUTCOME_HEADER = "X-Explanation-Outcome"
"""Tells a failed explanation, which is the explainer's, from a failure of this server: both are a 500."""


class InvalidIdempotencyKey(ParseError):
    """400: the header is no key."""

    default_code = "invalid_idempotency_key"


class UnknownExplanation(NotFound):
    """404: nothing of the symbol has been explained, or not to this depth."""

    default_code = "unknown_explanation"


class NoSuchJob(NotFound):
    """404: no job with this id, or another account's; which one is not told."""

    default_code = "unknown_job"
    default_detail = "There is no such job among those of your account."


class JobHasEnded(APIException):
    """409: what is done or failed cannot be cancelled."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "job_finished"
    default_detail = "The job has ended; there is nothing left to cancel."


class JobCancelled(APIException):
    """410: the job was cancelled, and there will be no explanation."""

    status_code = status.HTTP_410_GONE
    default_code = "job_cancelled"
    default_detail = "The job was cancelled; order the explanation again if you want it."


class IdempotencyKeyReused(APIException):
    """422: the key came before, with another symbol or body."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was used for another order; send a new one."


class TooManyJobsInFlight(APIException):
    """429: the account's budget of unfinished jobs is used up."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_code = "too_many_jobs"

    def __init__(self, detail: str, *, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class ExplanationFailed(APIException):
    """500: the explainer gave up; the detail is its reason."""

    status_code = status.HTTP_500_INTERNAL_SERVER_ERROR
    default_code = "explanation_failed"


def as_answer(error: Exception) -> Exception:
    """The answer to `error`; an error that is not about explanations stays what it is."""
    match error:
        case NothingToExplain():
            answer: APIException = UnknownSymbol(str(error))
        case MalformedKey():
            answer = InvalidIdempotencyKey(str(error))
        case KeyReused():
            answer = IdempotencyKeyReused()
        case UnknownJob():
            answer = NoSuchJob()
        case JobFinished():
            answer = JobHasEnded()
        case NoStoreReachable():
            # As it was: the cause is what the log of the outage tells.
            unavailable = StoreUnavailable("The stores cannot be reached right now; try again in a moment.")
            unavailable.__cause__ = error.__cause__
            return unavailable
        case _:
            return error
    answer.__cause__ = error
    return answer
