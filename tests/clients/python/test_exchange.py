"""One call of the Python client, from its first attempt to its value or its error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prediction_gateway import calls, errors
from prediction_gateway.answers import Answer
from prediction_gateway.calls import Call
from prediction_gateway.exchange import Again, Done, Exchange, OnResponse, Response
from prediction_gateway.kept_answers import Kept, KeptAnswers
from prediction_gateway.settings import Settings

DEEP = b"[" * 100_000
SETTINGS = Settings("http://gateway.example", "pgw_live_secret", cache_size=2)
PREDICTION = {
    "symbol": "AAPL",
    "predicted_price": 2.0,
    "current_price": 1.0,
    "confidence": 0.5,
    "horizon": "1d",
    "model_version": "m",
    "timestamp": "2026-01-01T00:00:00Z",
    "as_of": "2026-01-01T00:00:00Z",
    "seq": 7,
    "age_seconds": 1.5,
    "stale": False,
    "added_by_a_newer_gateway": 1,
}


def answer(status: int = 200, body: Any = None, **headers: str) -> Answer:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, told, json.dumps(PREDICTION if body is None else body).encode())


def problem(status: int, code: str, **more: Any) -> Answer:
    body = {"type": f"/errors/{code}", "title": "T", "status": status, "detail": "D.", "error": code, **more}
    told = {"content-type": "application/problem+json", "x-request-id": "r-1"}
    return Answer(status, told, json.dumps(body).encode())


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def begin(
    call: Call[Any] | None = None,
    kept: KeptAnswers | None = None,
    on_response: OnResponse | None = None,
    clock: Clock | None = None,
) -> Exchange[Any]:
    return Exchange(
        call or calls.prediction("AAPL", include_features=False, as_of=None),
        SETTINGS,
        kept or KeptAnswers(2),
        on_response,
        uniform=lambda _, high: high,
        clock=clock or Clock(),
    )


def value_of(step: Done[Any] | Again) -> Any:
    assert isinstance(step, Done)
    return step.value


def test_a_200_is_a_value_without_what_is_not_known() -> None:
    read = value_of(begin().answered(answer()))
    assert (read.symbol, read.seq, read.features, read.move_pct) == ("AAPL", 7, None, 100.0)


def test_a_304_is_the_kept_value_that_has_grown_older() -> None:
    kept, clock = KeptAnswers(2), Clock()
    begin(kept=kept, clock=clock).answered(answer(etag='W/"1"'))
    clock.now_s += 10
    again = begin(kept=kept, clock=clock)
    assert again.headers["If-None-Match"] == 'W/"1"'
    assert value_of(again.answered(Answer(304, {}, b""))).age_seconds == 11.5


def test_a_304_of_a_past_moment_is_as_old_as_it_was() -> None:
    kept, clock = KeptAnswers(2), Clock()
    call = calls.prediction("AAPL", include_features=False, as_of="2026-01-01")
    begin(call, kept, clock=clock).answered(answer(etag='"1"'))
    clock.now_s += 10
    assert value_of(begin(call, kept, clock=clock).answered(Answer(304, {}, b""))).age_seconds == 1.5


def test_ages_in_lists_grow_as_well() -> None:
    clock = Clock()
    for call, body in (
        (
            calls.predictions(["AAPL"], include_features=False, as_of=None),
            {"predictions": {"AAPL": PREDICTION}, "missing": []},
        ),
        (
            calls.history_pages("AAPL", start=None, end=None, include_features=False, include_outcome=False)(
                5, None
            ),
            {"data": [PREDICTION], "has_more": False, "next": None},
        ),
    ):
        kept = KeptAnswers(2)
        begin(call, kept, clock=clock).answered(answer(body=body, etag='"1"'))
        clock.now_s += 1
        read = value_of(begin(call, kept, clock=clock).answered(Answer(304, {}, b"")))
        one = read.data[0] if hasattr(read, "data") else read.predictions["AAPL"]
        assert one.age_seconds == 2.5


def test_a_304_that_nobody_asked_for_is_an_error() -> None:
    with pytest.raises(errors.ApiError, match="304 Not Modified"):
        begin().answered(Answer(304, {}, b""))


def test_what_is_not_worth_it_is_not_kept() -> None:
    kept = KeptAnswers(2)
    begin(kept=kept).answered(answer())
    begin(calls.version(), kept).answered(
        answer(body={"name": "n", "version": "1", "commit": "c"}, etag='"1"')
    )
    assert "If-None-Match" not in begin(kept=kept).headers
    assert "If-None-Match" not in begin(calls.version(), kept).headers


def test_kept_answers_are_bounded_by_number_and_by_bytes() -> None:
    kept = KeptAnswers(2, most_bytes=80)
    for name in ("a", "b", "c"):
        kept.keep(name, Kept('"1"', Answer(200, {}, b"12345"), 0))
        kept.find("a")
    assert [kept.find(name) is None for name in ("a", "b", "c")] == [False, True, False]
    kept.keep("a", Kept('"2"', Answer(200, {}, b"x" * 11), 0))
    assert kept.find("a") is None
    few = KeptAnswers(100, most_bytes=80)
    for number in range(20):
        few.keep(str(number), Kept('"1"', Answer(200, {}, b"x" * 10), 0))
    assert [number for number in range(20) if few.find(str(number))] == list(range(12, 20))


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_pass_is_tried_again_and_then_raised(status: int) -> None:
    exchange = begin()
    pauses = [exchange.answered(problem(status, "X")) for _ in range(3)]
    assert pauses == [Again(0.5), Again(1.0), Again(2.0)]
    with pytest.raises(errors.ApiError):
        exchange.answered(problem(status, "X"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidRequestError),
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (405, errors.InvalidRequestError),
        (409, errors.ConflictError),
        (410, errors.NotFoundError),
        (413, errors.InvalidRequestError),
        (415, errors.InvalidRequestError),
        (422, errors.InvalidRequestError),
        (500, errors.ServerError),
        (302, errors.ApiError),
    ],
)
def test_what_does_not_pass_is_raised_at_once(status: int, kind: type[errors.ApiError]) -> None:
    with pytest.raises(errors.ApiError) as raised:
        begin().answered(problem(status, "CODE"))
    assert type(raised.value) is kind
    assert (raised.value.status, raised.value.code, raised.value.request_id) == (status, "CODE", "r-1")
    assert str(raised.value) == f"{status} CODE: D. (request r-1)"


def test_a_problem_tells_all_that_it_has() -> None:
    entry = {"pointer": "/depth", "detail": "no", "code": "invalid"}
    with pytest.raises(errors.RateLimitError) as raised:
        begin().answered(
            problem(429, "RATE_LIMIT_EXCEEDED", retry_after=90, errors=[entry], request_id="r-2")
        )
    error = raised.value
    assert (error.retry_after, error.type, error.title) == (90, "/errors/RATE_LIMIT_EXCEEDED", "T")
    assert error.errors == (errors.ProblemEntry("/depth", "no", "invalid"),)
    assert "[/depth: no] (retry after 90 s) (request r-2)" in str(error)


def test_a_failed_job_is_told_by_its_outcome() -> None:
    for told in (
        problem(500, "EXPLANATION_FAILED"),
        Answer(500, {"x-explanation-outcome": "failed", "content-type": "text/html"}, b"<html>"),
    ):
        with pytest.raises(errors.JobFailedError):
            begin().answered(told)


@pytest.mark.parametrize("body", [b"<html>", b"{", b'{"title": 1}', b"\xff", b'{"errors": ' + DEEP, DEEP])
def test_the_answer_of_a_proxy_is_an_error_without_a_code(body: bytes) -> None:
    with pytest.raises(errors.ServerError, match="501 Not Implemented") as raised:
        begin().answered(Answer(501, {"content-type": "application/json"}, body))
    assert raised.value.code is None
    with pytest.raises(errors.ServerError, match="599 Unknown status"):
        begin().answered(Answer(599, {}, body))


@pytest.mark.parametrize("body", [b"<html>", b'{"symbol": 1}', b"\xff", DEEP, b'{"new": ' + DEEP])
def test_a_200_that_is_something_else_is_an_error(body: bytes) -> None:
    with pytest.raises(errors.ApiError, match="is not answered as the API says") as raised:
        begin().answered(Answer(200, {}, body))
    assert raised.value.status == 200


def test_no_answer_is_tried_again_and_then_raised_without_the_key() -> None:
    exchange = begin()
    for _ in range(3):
        exchange.failed(OSError("refused"))
    with pytest.raises(errors.ConnectionFailedError, match=r"after 4 attempts: refused"):
        exchange.failed(OSError("refused"))
    assert exchange.headers["X-API-Key"] == "pgw_live_secret"
    assert "secret" not in repr(SETTINGS)


def test_an_error_without_words_is_told_by_its_name() -> None:
    exchange = Exchange(calls.version(), Settings("http://x", None, retries=0), KeptAnswers(0))
    assert "X-API-Key" not in exchange.headers
    with pytest.raises(errors.ConnectionFailedError, match="after 1 attempt: TimeoutError"):
        exchange.failed(TimeoutError())


def test_each_answer_is_reported() -> None:
    seen: list[Response] = []
    exchange = begin(on_response=seen.append)
    exchange.answered(problem(429, "RATE_LIMIT_EXCEEDED", retry_after=5))
    exchange.answered(answer(x_ratelimit_remaining="12", x_request_id="r-9"))
    path = "/api/prediction/AAPL"
    assert seen == [
        Response("GET", path, 429, "r-1", 1, 5.5, None),
        Response("GET", path, 200, "r-9", 2, None, 12),
    ]


@pytest.mark.parametrize("told", ["²", "9" * 5000, "-1", "many"])
def test_a_count_that_is_none_is_not_reported(told: str) -> None:
    seen: list[Response] = []
    begin(on_response=seen.append).answered(answer(x_ratelimit_remaining=told))
    assert seen[0].remaining is None


def test_a_wait_of_less_than_nothing_is_none() -> None:
    assert begin().answered(problem(503, "X", retry_after=-5)) == Again(0.0)


def test_an_order_has_one_key_for_all_its_attempts_and_time_to_wait() -> None:
    exchange = begin(calls.order("AAPL", "deep", idempotency_key=None, wait_s=5))
    first = exchange.headers["Idempotency-Key"]
    exchange.failed(TimeoutError())
    assert exchange.headers["Idempotency-Key"] == first
    assert exchange.headers["Prefer"] == "wait=5"
    assert exchange.timeout_s == 15
    other = begin(calls.order("AAPL", "deep", idempotency_key=None, wait_s=0))
    assert other.headers["Idempotency-Key"] != first
    assert "Prefer" not in other.headers
