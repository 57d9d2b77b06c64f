"""Explanation jobs and dead letters in the admin: requeued, cancelled, put back; audited and escaped."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import msgspec
import pytest
from django.db.models import Q
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from accounts.models import AuditEvent, User
from events import connection, dead_letter_box, explanations, outbox, streams
from events.explanations import ExplainOrder
from events.models import OutboxMessage
from events.outbox import Outgoing
from explanations import actions
from explanations.actions import AlreadyDone, ComputedElsewhere, NothingToCancel, UnknownComputation
from explanations.admin.letter_pages import MOST_SHOWN_BYTES, readable
from explanations.models import Computation, ExplanationJob
from tests.events.test_dead_letter_box import bury
from tests.events.test_dead_letter_box import orders as messages_of
from tests.explanations.ends import apply_completed, apply_failed, completed, failed
from tests.explanations.orderers import cancel, computation, order, orderer, predict

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("newest_store")]

LIST = "/admin/explanations/computation/"
LETTERS = "/admin/dead-letters/"
SCRIPT = "<script>alert(1)</script>"
ACTOR = "user the-operator"


@pytest.fixture(autouse=True)
def _no_static_search(settings: Settings) -> None:
    """No client looks for all static files before it begins."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


@pytest.fixture
def operator() -> Client:
    """An operator who is logged in."""
    return staff("operator")


@pytest.fixture
def box(nats_url: str, settings: Settings) -> str:
    """The NATS that the admin reads."""
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, nats_url=nats_url)
    return nats_url


def staff(role: str) -> Client:
    """A member of staff who is logged in."""
    client = Client()
    client.force_login(User.objects.create(username=f"the-{role}", password="!", role=role, is_staff=True))
    return client


def address(deed: str, computation_id: uuid.UUID) -> str:
    """Where one is asked before `deed`."""
    return reverse(f"admin:explanations_computation_{deed}", args=[computation_id])


def ordered(symbol: str = "AAPL") -> ExplanationJob:
    """A job that waits its turn."""
    predict(symbol)
    return order(orderer(), symbol)


def broken(symbol: str = "AAPL", reason: str = "The data has a hole.") -> ExplanationJob:
    """A job that has failed."""
    job = ordered(symbol)
    apply_failed(failed(job.computation_id, reason), timezone.now())
    return job


def requeue(job: ExplanationJob) -> uuid.UUID:
    """Requeue the computation of `job`."""
    return actions.requeue(computation_id=computation(job).pk, actor=ACTOR, now=timezone.now())


def event(action: str) -> AuditEvent:
    """The one audit event of `action`."""
    return AuditEvent.objects.get(action=action)


def test_a_failed_job_is_requeued_as_new_under_a_new_id(
    handed_over: list[Any], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    job = broken()
    with django_capture_on_commit_callbacks(execute=True):
        new_id = requeue(job)
        assert handed_over == []
    row = computation(job)
    assert row.pk == new_id != job.pk
    assert (row.state, row.progress, row.attempts, row.reason) == ("queued", 0.0, 0, "")
    assert row.finished_at is None
    [owed] = OutboxMessage.objects.all()
    assert (owed.msg_id, owed.headers) == (str(new_id), {"X-Request-ID": "request-1"})
    assert explanations.decode(bytes(owed.payload), ExplainOrder).job_id == new_id
    assert [one.msg_id for one in handed_over] == [str(new_id)]
    told = event("explanation.requeue")
    assert (told.actor, told.kind, told.subject_id) == (ACTOR, "explanation", str(new_id))
    assert told.detail == {
        "was": str(job.pk),
        "state": "failed",
        "attempts": 3,
        "reason": "The data has a hole.",
    }


def test_what_is_late_from_the_first_try_does_not_end_the_second() -> None:
    job = broken()
    new_id = requeue(job)
    assert apply_failed(failed(job.pk), timezone.now()) is None
    assert computation(job).state == "queued"
    apply_completed(completed(new_id), timezone.now())
    assert computation(job).state == "done"
    assert not OutboxMessage.objects.exists()


def test_an_unfinished_job_is_requeued_and_its_workers_let_go(
    handed_over: list[Any], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    job = ordered()
    with django_capture_on_commit_callbacks(execute=True):
        new_id = requeue(job)
    assert handed_over[0] == (streams.EXPLAIN_CANCELLED, str(job.pk).encode())
    assert [one.msg_id for one in OutboxMessage.objects.all()] == [str(new_id)]


def test_what_is_done_or_gone_is_not_requeued() -> None:
    job = ordered()
    apply_completed(completed(job.pk), timezone.now())
    with pytest.raises(AlreadyDone):
        requeue(job)
    with pytest.raises(UnknownComputation):
        actions.requeue(computation_id=uuid.uuid4(), actor=ACTOR, now=timezone.now())
    assert not AuditEvent.objects.filter(action="explanation.requeue").exists()


def test_a_job_whose_explanation_was_ordered_again_is_left_alone(operator: Client) -> None:
    job = broken()
    again = order(orderer())
    with pytest.raises(ComputedElsewhere):
        requeue(job)
    page = operator.post(address("requeue", job.computation_id), follow=True).content.decode()
    assert "ordered again meanwhile" in page
    assert (computation(job).state, computation(again).state) == ("failed", "queued")


def test_a_second_order_in_the_same_instant_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    job = broken()
    order(orderer())
    # It was not there yet when it was looked for.
    monkeypatch.setattr(Computation, "IS_SHARED", Q(pk=None))
    with pytest.raises(ComputedElsewhere):
        requeue(job)
    assert computation(job).state == "failed"


def test_a_cancelled_job_ends_for_everybody_and_can_be_requeued(
    handed_over: list[Any], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    job, other = ordered(), order(orderer("other"))
    with django_capture_on_commit_callbacks(execute=True):
        actions.cancel(computation_id=job.computation_id, actor=ACTOR, now=timezone.now())
    assert (computation(job).state, computation(other).state) == ("cancelled", "cancelled")
    assert not OutboxMessage.objects.exists()
    assert handed_over == [(streams.EXPLAIN_CANCELLED, str(job.pk).encode())]
    assert event("explanation.cancel").detail == {"state": "queued", "progress": 0.0}
    with pytest.raises(NothingToCancel):
        actions.cancel(computation_id=job.computation_id, actor=ACTOR, now=timezone.now())
    requeue(job)
    assert (computation(job).state, computation(other).state) == ("queued", "queued")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_requeue_within_the_duplicate_window_is_a_second_message(nats_url: str) -> None:
    job = ordered()
    asyncio.run(_publish_what_is_owed(nats_url))
    apply_failed(failed(job.pk), timezone.now())
    new_id = requeue(job)
    asyncio.run(_publish_what_is_owed(nats_url))
    sent = [explanations.decode(one.data, ExplainOrder).job_id for one in messages_of(nats_url)]
    assert sent == [job.pk, new_id]


async def _publish_what_is_owed(url: str) -> None:
    """As the relay does."""
    opened = await connection.connect(url, name="tests")
    await connection.ensure_stream(opened.jetstream, streams.JOBS)
    owed: list[Outgoing] = await asyncio.to_thread(
        lambda: outbox.take_unpublished(before=timezone.now(), most=10)
    )
    for one in owed:
        headers = {**one.headers, streams.MSG_ID_HEADER: one.msg_id}
        await opened.jetstream.publish(one.subject, one.payload, headers=headers)
    await opened.drain()


@pytest.mark.parametrize("rows", [1, 12])
def test_the_list_costs_the_same_however_long_it_is(
    rows: int, operator: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(rows):
        ordered(f"S{number}")
    with django_assert_num_queries(5):
        page = operator.get(LIST).content.decode()
    assert page.count("field-told_state") == rows


def test_a_job_is_found_by_its_ids_and_its_symbol(operator: Client) -> None:
    job, other = ordered(), ordered("MSFT")
    second = order(orderer("second"))
    for term in (str(job.computation_id), str(second.pk), "aapl"):
        page = operator.get(LIST, {"q": term}).content.decode()
        assert str(job.computation_id) in page
        assert str(other.computation_id) not in page
    assert "0 " in operator.get(LIST, {"q": "nothing"}).content.decode()


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("state__exact=queued", True),
        ("state__exact=done", False),
        ("depth__exact=fast", True),
        ("depth__exact=deep", False),
        ("days=1", False),
    ],
)
def test_jobs_are_filtered_by_state_depth_and_age(operator: Client, query: str, is_found: bool) -> None:
    job = ordered()
    assert (str(job.pk) in operator.get(f"{LIST}?{query}").content.decode()) is is_found


def test_the_page_of_a_job_lists_its_orders_and_escapes_everything(operator: Client) -> None:
    job = broken(reason=SCRIPT)
    cancelled = order(orderer("other"), "AAPL")
    ExplanationJob.objects.filter(pk=cancelled.pk).update(
        computation=job.computation_id, ordered_by=SCRIPT, cancelled_at=timezone.now()
    )
    for page in (LIST, f"{LIST}{job.computation_id}/change/"):
        assert SCRIPT not in operator.get(page).content.decode()
    page = operator.get(f"{LIST}{job.computation_id}/change/").content.decode()
    assert str(job.pk) in page
    assert str(cancelled.pk) in page
    assert "&lt;script&gt;" in page
    assert "187.25" in page


def test_actions_on_the_page_ask_first_and_then_lead_to_the_job(operator: Client) -> None:
    job = broken()
    page = address("requeue", job.computation_id)
    assert "goes on under a new computation id" in operator.get(page).content.decode()
    assert computation(job).state == "failed"
    done = operator.post(page, follow=True)
    assert "Requeued." in done.content.decode()
    new_id = computation(job).pk
    assert str(new_id) in done.redirect_chain[-1][0]
    asked = operator.get(address("cancel", new_id)).content.decode()
    assert "for everybody who ordered it" in asked
    assert "Cancelled." in operator.post(address("cancel", new_id), follow=True).content.decode()
    assert "has ended already" in operator.post(address("cancel", new_id), follow=True).content.decode()
    assert event("explanation.cancel").actor == "user the-operator"


def test_actions_on_the_list_ask_first_and_tell_what_was_refused(operator: Client) -> None:
    one, done = broken(), ordered("MSFT")
    apply_completed(completed(done.computation_id), timezone.now())
    chosen = {
        "action": "requeue_selected",
        "_selected_action": [str(one.computation_id), str(done.computation_id)],
    }
    assert "Requeue 2 explanations?" in operator.post(LIST, chosen).content.decode()
    assert computation(one).state == "failed"
    page = operator.post(LIST, {**chosen, "confirmed": "1"}, follow=True).content.decode()
    assert "Requeued: 1." in page
    assert "nothing to repeat" in page
    chosen = {"action": "cancel_selected", "_selected_action": [str(computation(one).pk)], "confirmed": "1"}
    assert "Cancelled: 1." in operator.post(LIST, chosen, follow=True).content.decode()


def test_a_viewer_changes_nothing_whatever_is_sent() -> None:
    job, viewer = ordered(), staff("viewer")
    sent = {"action": "cancel_selected", "_selected_action": [str(job.pk)], "confirmed": "1"}
    viewer.post(LIST, sent)
    assert viewer.post(address("cancel", job.pk)).status_code == 403
    assert computation(job).state == "queued"
    assert address("cancel", job.pk) not in viewer.get(f"{LIST}{job.pk}/change/").content.decode()


def test_a_job_that_its_caller_cancelled_can_be_requeued() -> None:
    predict()
    caller = orderer()
    job = order(caller)
    cancel(job, caller)
    requeue(job)
    assert computation(job).state == "queued"


def test_dead_letters_are_listed_and_read_escaped(box: str, operator: Client) -> None:
    bury(box, f'{{"a": "{SCRIPT}"}}'.encode(), SCRIPT.encode(), X_Odd=SCRIPT)
    page = operator.get(LETTERS).content.decode()
    assert "There are 2 in all" in page
    assert page.index(f"{LETTERS}2/") < page.index(f"{LETTERS}1/")
    for seq in (1, 2):
        letter = operator.get(f"{LETTERS}{seq}/").content.decode()
        assert SCRIPT not in letter
        assert "&lt;script&gt;" in letter
    assert "request-1" in letter
    assert operator.get(f"{LETTERS}3/").status_code == 404
    assert operator.get(f"{LETTERS}{2**70}/").status_code == 404


@pytest.mark.parametrize("before", ["x", "-1", "0", "1" * 30, "\u00b2"])
def test_a_number_that_is_none_shows_the_newest(box: str, operator: Client, before: str) -> None:
    bury(box, b"{}")
    assert f"{LETTERS}1/" in operator.get(LETTERS, {"before": before}).content.decode()


def test_a_letter_is_put_back_after_a_question_and_audited(box: str, operator: Client) -> None:
    bury(box, b"{}")
    assert "under a new message id" in operator.get(f"{LETTERS}1/put-back/").content.decode()
    assert messages_of(box) == []
    page = operator.post(f"{LETTERS}1/put-back/", follow=True).content.decode()
    assert "was put back" in page
    assert len(messages_of(box)) == 1
    told = event("dead_letter.put_back")
    assert (told.subject, told.subject_id, told.detail["reason"]) == (streams.EXPLAIN, "1", "no such depth")


def test_a_letter_is_deleted_after_a_question_and_audited(box: str, operator: Client) -> None:
    bury(box, b"{}")
    assert "cannot be undone" in operator.get(f"{LETTERS}1/delete/").content.decode()
    assert "was deleted" in operator.post(f"{LETTERS}1/delete/", follow=True).content.decode()
    assert dead_letter_box.list_letters(box).total == 0
    assert event("dead_letter.delete").actor == "user the-operator"


def test_a_letter_without_its_end_says_so_and_stays(box: str, operator: Client) -> None:
    bury(box, b"begin", X_Dead_Letter_Bytes="300000")
    for page in (f"{LETTERS}1/", f"{LETTERS}1/put-back/"):
        assert "Only the beginning of its body was kept" in operator.get(page).content.decode()
    page = operator.post(f"{LETTERS}1/put-back/", follow=True).content.decode()
    assert "was not put back" in page
    assert dead_letter_box.list_letters(box).total == 1
    assert not AuditEvent.objects.filter(kind="dead_letter").exists()


def test_a_dead_order_leads_to_its_job(box: str, operator: Client) -> None:
    job = broken()
    sent = ExplainOrder(
        job_id=job.pk,
        depth="fast",
        prediction=explanations.PinnedPrediction(
            **msgspec.convert(job.computation.prediction, dict[str, Any])
            | {"timestamp": job.computation.prediction_timestamp, "as_of": timezone.now()}
        ),
        ordered_at=timezone.now(),
    )
    bury(box, explanations.encode(sent), b"no order")
    assert f"{LIST}{job.pk}/change/" in operator.get(f"{LETTERS}1/").content.decode()
    assert LIST + str(job.pk) not in operator.get(f"{LETTERS}2/").content.decode()


def test_a_viewer_reads_dead_letters_and_is_offered_nothing(box: str) -> None:
    bury(box, b"{}")
    viewer = staff("viewer")
    assert "put-back" not in viewer.get(f"{LETTERS}1/").content.decode()
    assert viewer.post(f"{LETTERS}1/delete/").status_code == 403
    assert dead_letter_box.list_letters(box).total == 1


def test_503_is_a_page_for_people_when_nats_is_away(operator: Client, settings: Settings) -> None:
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, nats_url="nats://127.0.0.1:1")
    asked = operator.get(LETTERS)
    assert (asked.status_code, asked["Content-Type"].split(";")[0]) == (503, "text/html")
    assert "NATS does not answer" in asked.content.decode()
    sent = operator.post(f"{LETTERS}1/delete/")
    assert sent.status_code == 503
    assert "not known whether it was done" in sent.content.decode()


def test_a_long_payload_is_cut_and_what_is_no_text_is_shown_all_the_same() -> None:
    assert readable(b'{"b":1,"a":[2]}') == '{\n  "b": 1,\n  "a": [\n    2\n  ]\n}'
    assert readable(b"\xff\x00") == "\\xff\x00"
    assert len(readable(b"x" * (MOST_SHOWN_BYTES + 1))) == MOST_SHOWN_BYTES
    assert len(readable(b"[" + b"1," * 32_000 + b"1]")) == MOST_SHOWN_BYTES
    assert readable(b"[" * 20_000) == "[" * 20_000
