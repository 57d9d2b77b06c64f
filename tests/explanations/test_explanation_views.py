"""The REST routes of explanations: every status, with the body and the headers that belong to it."""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.utils import timezone
from pytest_django import Settings

from events.models import OutboxMessage
from explanations import answers, estimates, problems, results, store
from explanations.models import Computation, ExplanationJob
from tests.accounts.callers import NOBODY, Holder, call, error, key, person, pointers, read
from tests.explanations.ends import completed, explanation, failed, progress
from tests.explanations.orderers import NO_JOB, get_job, order, orderer, post, predict

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("newest_store")]


@pytest.fixture(autouse=True)
def _measured_anew() -> None:
    estimates.forget()


@pytest.fixture
def ann() -> Holder:
    """Who orders; there is a prediction of AAPL."""
    predict()
    return key()


def ordered(who: Holder, **headers: str) -> dict[str, Any]:
    """The body of a 202."""
    return read(post(who, **headers), 202)


def apply(*events: Any) -> None:
    """What the bridge does."""
    changed = results.apply(events, now=timezone.now())
    store.put([one for one in changed if one.state == "done"])


def finish(job_id: str) -> None:
    """Explain a job."""
    apply(completed(uuid.UUID(job_id)))


def test_202_an_order_says_where_to_ask(ann: Holder) -> None:
    response = post(ann)
    body = read(response, 202)
    url = f"/api/explanation/job/{body['job_id']}"
    # What has passed since is taken off already.
    assert body.pop("estimated_seconds") == pytest.approx(2.0, abs=1.0)
    assert body == {"job_id": body["job_id"], "status": "queued", "depth": "fast", "status_url": url}
    assert response["Location"] == url
    assert "Idempotency-Replayed" not in response
    job = ExplanationJob.objects.get(pk=body["job_id"])
    assert job.ordered_by == f"key {ann.name}"
    assert OutboxMessage.objects.get().msg_id == body["job_id"]
    assert call("GET", url, ann).status_code == 202


def test_202_a_person_orders_too(ann: Holder) -> None:
    job_id = ordered(person("olga", "operator"))["job_id"]
    job = ExplanationJob.objects.get(pk=job_id)
    assert (job.key_id, job.ordered_by) == (None, "user olga")


def test_202_an_order_of_what_is_done_is_done(ann: Holder) -> None:
    finish(ordered(ann)["job_id"])
    body = ordered(ann)
    assert (body["status"], body["estimated_seconds"]) == ("done", 0)
    assert read_done(get_job(ann, body["job_id"]))["job_id"] == body["job_id"]


def test_202_the_estimate_is_the_median_of_what_recent_jobs_took(ann: Holder) -> None:
    now = timezone.now()
    for seq, seconds in enumerate((2, 8, 30), start=1):
        predict(seq=seq)
        job = order(orderer(), now=now - timedelta(seconds=seconds))
        results.apply([completed(job.pk, generated_at=now)], now=now)
    predict(seq=9)
    estimates.forget()
    assert ordered(ann)["estimated_seconds"] == pytest.approx(8.0, abs=0.3)
    Computation.objects.filter(state="done").delete()
    assert estimates.typical_s("fast") == 8.0  # nobody counts at every call
    assert estimates.typical_s("deep") == 15.0


def test_202_the_same_idempotency_key_gives_the_same_job_in_the_words_of_now(ann: Holder) -> None:
    first = post(ann, **{"Idempotency-Key": '"k-1"'})
    job_id = read(first, 202)["job_id"]
    apply(progress(uuid.UUID(job_id), 0.5))
    again = post(ann, **{"Idempotency-Key": "k-1"})
    assert read(again, 202)["status"] == "running"
    assert (read(again, 202)["job_id"], again["Location"]) == (job_id, first["Location"])
    assert again["Idempotency-Replayed"] == "true"
    aliased = call(
        "POST", "/api/v1/explanation/AAPL", ann, {"depth": "fast"}, headers={"Idempotency-Key": "k-1"}
    )
    assert read(aliased, 202)["job_id"] == job_id
    assert ExplanationJob.objects.count() == 1


def test_422_the_same_idempotency_key_with_another_order(ann: Holder) -> None:
    ordered(ann, **{"Idempotency-Key": "k"})
    assert error(post(ann, {"depth": "deep"}, **{"Idempotency-Key": "k"})) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert error(post(ann, symbol="MSFT", **{"Idempotency-Key": "k"})) == (422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("header", ["", '""', "x" * 256, '"a', "a\tb"])
def test_400_for_an_idempotency_key_that_is_none(ann: Holder, header: str) -> None:
    assert error(post(ann, **{"Idempotency-Key": header})) == (400, "INVALID_IDEMPOTENCY_KEY")
    assert not ExplanationJob.objects.exists()


@pytest.mark.parametrize("body", [b"{", b"\xff", b"depth=fast", b"[" * 100_000])
def test_400_for_a_body_that_is_no_json(ann: Holder, body: bytes) -> None:
    assert error(post(ann, body)) == (400, "PARSE_ERROR")


def test_415_for_a_body_of_another_type(ann: Holder) -> None:
    response = call("POST", "/api/explanation/AAPL", ann, b"depth=fast", content_type="text/plain")
    assert error(response) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/depth"),
        ({"depth": "deeper"}, "/depth"),
        ({"depth": "FAST"}, "/depth"),
        ({"depth": None}, "/depth"),
        ({"depth": ["fast"]}, "/depth"),
        ({"depth": 1}, "/depth"),
        ({"depth": "fast", "account": 1}, "/account"),
        (b"", "/depth"),
        ([], "/non_field_errors"),
    ],
)
def test_422_for_a_body_that_is_wrong(ann: Holder, body: object, pointer: str) -> None:
    response = call("POST", "/api/explanation/AAPL", ann, body)
    assert error(response) == (422, "INVALID_BODY")
    assert pointers(response) == [pointer]
    assert not ExplanationJob.objects.exists()


def test_422_and_400_repeat_no_long_text(ann: Holder) -> None:
    body = call("POST", "/api/explanation/AAPL", ann, {"depth": "x" * 9999})
    query = call("GET", f"/api/explanation/AAPL?depth={'x' * 9999}", ann)
    assert (body.status_code, query.status_code) == (422, 400)
    assert max(len(body.content), len(query.content)) < 2000


@pytest.mark.parametrize("symbol", ["aapl", "TOOLONG", "job", "A/B", "%00", ""])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_400_for_a_malformed_symbol(ann: Holder, method: str, symbol: str) -> None:
    assert error(call(method, f"/api/explanation/{symbol}", ann)) == (400, "INVALID_SYMBOL")


def test_404_where_nothing_was_predicted(ann: Holder) -> None:
    assert error(post(ann, symbol="ZZZ")) == (404, "UNKNOWN_SYMBOL")


def test_429_beyond_the_budget_says_when_to_come_again(ann: Holder, settings: Settings) -> None:
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, explanations_in_flight=2)
    first = ordered(ann)["job_id"]
    ordered(ann, **{"Idempotency-Key": "k"})
    response = post(ann)
    assert error(response) == (429, "TOO_MANY_JOBS")
    assert int(response["Retry-After"]) == read(response, 429)["retry_after"] == 2
    assert "2 jobs in flight" in read(response, 429)["detail"]
    ordered(ann, **{"Idempotency-Key": "k"})  # what was accepted is answered again
    ordered(key(of="another"))
    assert call("DELETE", f"/api/explanation/job/{first}", ann).status_code == 204
    ordered(ann)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_401_without_a_credential(method: str) -> None:
    assert error(call(method, "/api/explanation/AAPL", NOBODY)) == (401, "NOT_AUTHENTICATED")


def test_403_without_the_scope(ann: Holder) -> None:
    reader, writer = key("explanations:read"), key("explanations:write")
    assert error(post(reader)) == (403, "SCOPE_MISSING")
    job_id = ordered(writer)["job_id"]
    assert error(call("DELETE", f"/api/explanation/job/{job_id}", reader)) == (403, "SCOPE_MISSING")
    assert error(get_job(writer, job_id)) == (403, "SCOPE_MISSING")
    assert error(call("GET", "/api/explanation/AAPL", writer)) == (403, "SCOPE_MISSING")
    assert get_job(reader, job_id).status_code == 202


FIELDS = {
    "symbol",
    "depth",
    "generated_at",
    "summary",
    "contributions",
    "sources",
    "statements",
    "similar_days",
    "what_if",
    "record",
    "prediction",
    "job_id",
}


def read_done(response: Any) -> dict[str, Any]:
    """The body of a 200 that may be cached."""
    assert response.status_code == 200, response.content
    assert response["Cache-Control"] == "private, max-age=60"
    assert response["Vary"] == "Accept-Encoding, Authorization, Origin, X-API-Key"
    found: dict[str, Any] = msgspec.json.decode(response.content)
    return found


def test_200_the_newest_explanation_of_any_depth_or_of_one(ann: Holder) -> None:
    path = "/api/explanation/AAPL"
    assert error(call("GET", path, ann)) == (404, "UNKNOWN_EXPLANATION")
    job_id = ordered(ann)["job_id"]
    assert error(call("GET", path, ann)) == (404, "UNKNOWN_EXPLANATION")
    finish(job_id)
    for query in ("", "?depth=fast"):
        body = read_done(call("GET", path + query, key(of="another")))
        assert set(body) == FIELDS
        assert (body["symbol"], body["depth"], body["job_id"]) == ("AAPL", "fast", job_id)
        assert body["contributions"] == msgspec.to_builtins(explanation().contributions)
        assert (body["similar_days"], body["what_if"], body["record"]) == ([], [], None)
        assert body["generated_at"].endswith("Z")
        assert body["prediction"]["features"] == {"momentum_21d": 0.04}
        assert (body["prediction"]["seq"], body["prediction"]["epoch"]) == (1, "e1")
    assert error(call("GET", path + "?depth=deep", ann)) == (404, "UNKNOWN_EXPLANATION")
    assert read_done(call("GET", "/api/v1/explanation/AAPL", ann)) == body


def test_304_for_the_explanation_that_the_caller_has(ann: Holder) -> None:
    job_id = ordered(ann)["job_id"]
    finish(job_id)
    for path in ("/api/explanation/AAPL", f"/api/explanation/job/{job_id}"):
        first = call("GET", path, ann)
        assert first["ETag"].startswith('W/"explanation-')
        same = call("GET", path, ann, headers={"If-None-Match": first["ETag"]})
        assert (same.status_code, same.content) == (304, b"")
        for name in ("ETag", "Cache-Control", "Vary"):
            assert same[name] == first[name]
        assert call("GET", path, ann, headers={"If-None-Match": '"other"'}).status_code == 200
    predict(seq=2)
    finish(ordered(ann)["job_id"])
    path = "/api/explanation/AAPL"
    tag = call("GET", path, ann)["ETag"]
    assert call("GET", f"{path}?depth=fast", ann)["ETag"] == tag != first["ETag"]


@pytest.mark.parametrize("query", ["depth=deeper", "depth=", "dept=fast", "depth=fast&depth=deep"])
def test_400_for_a_query_that_is_wrong(ann: Holder, query: str) -> None:
    assert error(call("GET", f"/api/explanation/AAPL?{query}", ann)) == (400, "INVALID_QUERY")


def test_202_then_200_a_job_says_how_far_it_is(ann: Holder) -> None:
    job_id = ordered(ann)["job_id"]
    waiting = get_job(ann, job_id)
    body = read(waiting, 202)
    assert {name: body[name] for name in ("job_id", "status", "progress", "stage", "depth")} == {
        "job_id": job_id,
        "status": "queued",
        "progress": 0,
        "stage": "",
        "depth": "fast",
    }
    assert 0 < body["estimated_seconds"] <= 2.0
    assert 1 <= int(waiting["Retry-After"]) <= 2
    apply(progress(uuid.UUID(job_id), 0.4, "looking at the data"))
    body = read(get_job(ann, job_id), 202)
    assert (body["status"], body["progress"], body["stage"]) == ("running", 0.4, "looking at the data")
    finish(job_id)
    done = read_done(get_job(ann, job_id))
    assert set(done) == FIELDS | {"status"}
    assert (done["status"], done["job_id"]) == ("done", job_id)


def test_200_those_who_share_a_computation_each_see_their_own_job(ann: Holder) -> None:
    mine, theirs = ordered(ann)["job_id"], ordered(key(of="another"))["job_id"]
    finish(mine)
    assert read_done(get_job(ann, mine))["job_id"] == mine
    assert read_done(get_job(key(of="another"), theirs))["job_id"] == theirs
    assert error(get_job(ann, theirs)) == (404, "UNKNOWN_JOB")


def test_500_a_failed_job_tells_the_reason_and_is_no_error_in_the_log(
    ann: Holder, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = ordered(ann)["job_id"]
    apply(failed(uuid.UUID(job_id)))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        response = get_job(ann, job_id)
    assert error(response) == (500, "EXPLANATION_FAILED")
    assert read(response, 500)["detail"] == "The data has a hole."
    assert response[problems.OUTCOME_HEADER] == "failed"
    assert caplog.records == []


def test_204_then_410_a_cancelled_job_is_gone(ann: Holder) -> None:
    job_id = ordered(ann)["job_id"]
    for _ in range(2):
        response = call("DELETE", f"/api/explanation/job/{job_id}", ann)
        assert (response.status_code, response.content) == (204, b"")
    assert error(get_job(ann, job_id)) == (410, "JOB_CANCELLED")
    assert ordered(ann)["job_id"] != job_id


def test_409_for_the_end_of_a_job_that_has_ended(ann: Holder) -> None:
    done, broken = ordered(ann)["job_id"], read(post(ann, {"depth": "deep"}), 202)["job_id"]
    apply(completed(uuid.UUID(done)), failed(uuid.UUID(broken)))
    for job_id in (done, broken):
        assert error(call("DELETE", f"/api/explanation/job/{job_id}", ann)) == (409, "JOB_FINISHED")
    assert get_job(ann, done).status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_404_for_unknown_malformed_and_foreign_jobs_alike(ann: Holder, method: str) -> None:
    foreign = ordered(key(of="another"))["job_id"]
    ids = [foreign, str(NO_JOB), "1", "", "a/b", "%00", foreign.replace("-", ""), f"urn:uuid:{foreign}"]
    bodies = []
    for job_id in ids:
        response = call(method, f"/api/explanation/job/{job_id}", ann)
        assert error(response) == (404, "UNKNOWN_JOB")
        changing = {"instance", "timestamp", "request_id"}
        bodies.append({k: v for k, v in read(response, 404).items() if k not in changing})
    assert all(body == bodies[0] for body in bodies)
    assert ExplanationJob.objects.get(pk=foreign).cancelled_at is None


def test_405_for_other_methods(ann: Holder) -> None:
    response = call("POST", f"/api/explanation/job/{NO_JOB}", ann)
    assert error(response) == (405, "METHOD_NOT_ALLOWED")
    assert response["Allow"] == "GET, DELETE, HEAD, OPTIONS"
    assert error(call("DELETE", "/api/explanation/AAPL", ann)) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(("waited_s", "left_s"), [(-5, 10.0), (0, 10.0), (4, 6.0), (10, 1.0), (99, 1.0)])
def test_what_remains_shrinks_to_a_tenth(waited_s: float, left_s: float) -> None:
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    now = begin + timedelta(seconds=waited_s)
    assert answers.remaining_s(10.0, created_at=begin, now=now) == left_s


@pytest.mark.parametrize(("remaining", "seconds"), [(0.0, 1), (0.1, 1), (1.2, 2), (90.0, 10)])
def test_retry_after_is_between_one_and_ten_seconds(remaining: float, seconds: int) -> None:
    assert answers.retry_after_s(remaining) == seconds
