"""What a call or a stream raises; every one is a `GatewayError`, and says in its message what was wrong."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class ProblemEntry(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request: `pointer` says where, `code` what; `detail` is for people."""

    pointer: str
    detail: str
    code: str


class GatewayError(Exception):
    """The base of everything that this client raises about the gateway."""


class ConnectionFailedError(GatewayError):
    """No answer, also after the retries: nobody listens, the connection broke, or it took too long."""


class JobTimeoutError(GatewayError):
    """An explanation was not done in the time that the caller gave it; the job goes on.

    `job_id` is what `job` and `cancel_job` take.
    """

    def __init__(self, job_id: str, wait_s: float) -> None:
        super().__init__(f"the explanation is not done after {wait_s:g} s; job {job_id} goes on")
        self.job_id = job_id


class StreamClosedError(GatewayError):
    """The gateway closed the stream, and coming back is useless.

    `code` is the close code of the WebSocket, `reason` the gateway's error code (such as
    ``INVALID_CREDENTIAL``), `detail` its sentence for people; both may be empty.
    """

    def __init__(self, code: int, reason: str, detail: str) -> None:
        said = ": ".join(part for part in (reason, detail) if part) or "without a reason"
        super().__init__(f"the gateway closed the stream with {code} ({said})")
        self.code = code
        self.reason = reason
        self.detail = detail


class ApiError(GatewayError):
    """The gateway, or a proxy before it, refused a call.

    `code` is the stable name of the problem (``UNKNOWN_SYMBOL``), None where the answer came from something
    else than the gateway. `retry_after` is in seconds. `request_id` is what to report. `errors` lists, for
    a 400 or 422, what is wrong with the request.
    """

    def __init__(
        self,
        *,
        status: int,
        title: str,
        code: str | None = None,
        detail: str = "",
        type: str = "about:blank",  # noqa: A002 - RFC 9457's word
        request_id: str | None = None,
        retry_after: float | None = None,
        errors: Sequence[ProblemEntry] = (),
    ) -> None:
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.type = type
        self.request_id = request_id
        self.retry_after = retry_after
        self.errors = tuple(errors)
        super().__init__(self._message())

    def _message(self) -> str:
        parts = [f"{self.status} {self.code or self.title}"]
        if self.detail:
            parts.append(f": {self.detail}")
        if self.errors:
            said = "; ".join(f"{entry.pointer}: {entry.detail}" for entry in self.errors)
            parts.append(f" [{said}]")
        if self.retry_after is not None:
            parts.append(f" (retry after {self.retry_after:g} s)")
        if self.request_id:
            parts.append(f" (request {self.request_id})")
        return "".join(parts)


class InvalidRequestError(ApiError):
    """What was asked is not right as it stands: 400, 405, 413, 415, 422 and the like."""


class AuthenticationError(ApiError):
    """401: no credential where one is needed, or a bad one."""


class PermissionDeniedError(ApiError):
    """403: the credential is good, and lacks what this call needs."""


class NotFoundError(ApiError):
    """404: there is no such thing; 410: there was (``JOB_CANCELLED``)."""


class ConflictError(ApiError):
    """409: it does not fit to how things stand."""


class RateLimitError(ApiError):
    """429: a limit is used up; `retry_after` says when there is room again."""


class ServerError(ApiError):
    """5xx: the gateway, or something behind it, failed."""


class JobFailedError(ApiError):
    """An explanation job failed; `detail` is the explainer's reason. Ordering again computes it again."""
