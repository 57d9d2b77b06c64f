"""One call from its first attempt to its value or its error, without sending anything itself. Pure.

The shells send what it says and tell it what came: so retries, conditional reads and errors are one piece of
code, for threads and for asyncio.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from prediction_gateway import problems, retrying
from prediction_gateway.answers import UNREADABLE, Answer, move_on
from prediction_gateway.bodies import ENCODING
from prediction_gateway.calls import Call
from prediction_gateway.errors import ConnectionFailedError
from prediction_gateway.kept_answers import Kept, KeptAnswers
from prediction_gateway.settings import Settings

T = TypeVar("T")
_LONGEST_COUNT = 20


@dataclass(frozen=True)
class Response:
    """What `on_response` is told of each answer, refused ones and 304 among them.

    `path` is without its query, `attempt` counts from 1. `retry_in_s` is when the call will be tried again,
    None where this was the last answer to it. `remaining` is what is left of the longest limit, if there is
    one.
    """

    method: str
    path: str
    status: int
    request_id: str | None
    attempt: int
    retry_in_s: float | None
    remaining: int | None


OnResponse = Callable[[Response], None]


@dataclass(frozen=True)
class Done(Generic[T]):
    """The call has its value."""

    value: T


@dataclass(frozen=True)
class Again:
    """Send it again, `after_s` seconds from now."""

    after_s: float


class Exchange(Generic[T]):
    """The attempts of one `call`."""

    def __init__(
        self,
        call: Call[T],
        settings: Settings,
        kept: KeptAnswers,
        on_response: OnResponse | None = None,
        *,
        uniform: retrying.Uniform = random.uniform,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.call = call
        self._settings = settings
        self._answers = kept
        self._kept = kept.find(call.target) if call.keeps else None
        self._on_response = on_response
        self._uniform = uniform
        self._clock = clock
        self._attempt = 1

    @property
    def headers(self) -> dict[str, str]:
        """What this attempt sends."""
        told = {**self._settings.headers, "Accept": "application/json", "Accept-Encoding": ENCODING}
        told |= self.call.headers
        if self._kept is not None:
            told["If-None-Match"] = self._kept.etag
        return told

    @property
    def timeout_s(self) -> float:
        """How long this attempt may take."""
        return self._settings.timeout_s + self.call.extra_s

    def failed(self, error: Exception) -> Again:
        """There was no answer. Raises `ConnectionFailedError` when that was the last attempt."""
        after_s = self._wait_s(None)
        if after_s is None:
            said = str(error) or type(error).__name__
            tried = f"{self._attempt} attempt" + ("s" if self._attempt > 1 else "")
            raise ConnectionFailedError(
                f"no answer from {self._settings.url} after {tried}: {said}"
            ) from error
        self._attempt += 1
        return Again(after_s)

    def answered(self, answer: Answer) -> Done[T] | Again:
        """There is an answer. Raises the `ApiError` that it is, unless it is worth another attempt."""
        if 200 <= answer.status < 300:
            self._report(answer, None)
            return Done(self._value(answer))
        if answer.status == 304 and self._kept is not None:
            self._report(answer, None)
            passed_s = self._clock() - self._kept.received_s
            value = self._decode(self._kept.answer)
            return Done(move_on(value, passed_s) if self.call.ages else value)
        return self._refused(answer)

    def _refused(self, answer: Answer) -> Again:
        error = problems.make_error(answer.status, answer.headers, answer.body, now=datetime.now(UTC))
        is_passing = answer.status in retrying.RETRIED_STATUSES
        after_s = self._wait_s(error.retry_after) if is_passing else None
        self._report(answer, after_s)
        if after_s is None:
            raise error
        self._attempt += 1
        return Again(after_s)

    def _wait_s(self, retry_after: float | None) -> float | None:
        return retrying.wait_s(
            self._attempt,
            retries=self._settings.retries,
            max_wait_s=self._settings.max_wait_s,
            uniform=self._uniform,
            retry_after=retry_after,
        )

    def _value(self, answer: Answer) -> T:
        value = self._decode(answer)
        etag = answer.headers.get("etag")
        if self.call.keeps and answer.status == 200 and etag:
            self._answers.keep(self.call.target, Kept(etag, answer, self._clock()))
        return value

    def _decode(self, answer: Answer) -> T:
        try:
            return self.call.decode(answer)
        except UNREADABLE as error:
            detail = f"{self.call.method} {self.call.path} is not answered as the API says: {error}"
            raise problems.unexpected(answer.status, answer.headers, detail) from error

    def _report(self, answer: Answer, retry_in_s: float | None) -> None:
        if self._on_response is None:
            return
        self._on_response(
            Response(
                method=self.call.method,
                path=self.call.path,
                status=answer.status,
                request_id=answer.headers.get("x-request-id"),
                attempt=self._attempt,
                retry_in_s=retry_in_s,
                remaining=_count(answer.headers.get("x-ratelimit-remaining", "")),
            )
        )


def _count(text: str) -> int | None:
    """A number of calls, None for what is none: other scripts have digits, too, and no count has twenty."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < _LONGEST_COUNT else None
