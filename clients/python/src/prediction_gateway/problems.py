"""Error answers to errors: RFC 9457 problems of the gateway, and whatever a proxy before it says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus

import msgspec

from prediction_gateway import errors
from prediction_gateway.answers import UNREADABLE
from prediction_gateway.retrying import bounded_s, parse_retry_after

OUTCOME_HEADER = "x-explanation-outcome"

_BY_STATUS: dict[int, type[errors.ApiError]] = {
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    410: errors.NotFoundError,
    429: errors.RateLimitError,
}


class _Problem(msgspec.Struct, frozen=True):
    type: str = "about:blank"
    title: str = ""
    detail: str = ""
    error: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    errors: list[errors.ProblemEntry] = []


def make_error(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> errors.ApiError:
    """The error that an answer is; `headers` by names in lower case."""
    problem = _parse(body) if "json" in headers.get("content-type", "") else _Problem()
    retry_after = parse_retry_after(headers.get("retry-after"), now=now)
    return _type_of(status, headers, problem)(
        status=status,
        code=problem.error,
        title=problem.title or _title_of(status),
        detail=problem.detail,
        type=problem.type,
        request_id=problem.request_id or headers.get("x-request-id"),
        retry_after=bounded_s(problem.retry_after) if retry_after is None else retry_after,
        errors=problem.errors,
    )


def unexpected(status: int, headers: Mapping[str, str], detail: str) -> errors.ApiError:
    """The error of an answer that says it is good and is not what the API says."""
    return errors.ApiError(
        status=status, title="Unexpected answer", detail=detail, request_id=headers.get("x-request-id")
    )


def _parse(body: bytes) -> _Problem:
    try:
        return msgspec.json.decode(body, type=_Problem)
    except UNREADABLE:
        return _Problem()


def _type_of(status: int, headers: Mapping[str, str], problem: _Problem) -> type[errors.ApiError]:
    if headers.get(OUTCOME_HEADER) == "failed" or problem.error == "EXPLANATION_FAILED":
        return errors.JobFailedError
    if status >= 500:
        return errors.ServerError
    if status >= 400:
        return _BY_STATUS.get(status, errors.InvalidRequestError)
    return errors.ApiError


def _title_of(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown status"
