"""``Idempotency-Key``: what is a key, what is the same call, and that one key gives one job."""

from __future__ import annotations

from datetime import timedelta

import pytest

from events.models import OutboxMessage
from explanations import idempotency, ordering
from explanations.idempotency import KEPT, KeyReused, MalformedKey, fingerprint, read_key
from explanations.models import Computation, ExplanationJob, IdempotencyKey
from tests.accounts.together import race
from tests.explanations.orderers import NOW, cancel, order, orderer, predict, repeatable

pytestmark = pytest.mark.usefixtures("newest_store")
once = pytest.mark.django_db


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ('"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (' "a b" ', "a b"),
        ("a b", "a b"),
        (r'"a\"b\\c"', 'a"b' + "\\c"),
        ("x" * 255, "x" * 255),
        (f'"{"x" * 255}"', "x" * 255),
    ],
)
def test_a_key_is_bare_or_a_quoted_string(header: str, key: str) -> None:
    assert read_key(header) == key


NO_KEYS = ["", " ", '""', '"', '"a', '"a"b', '"a";x=1', '"a\\n"', "x" * 256, f'"{"x" * 256}"']
UNPRINTABLE = ["\u00e4", '"\u00e4"', "a\tb", '"a\tb"', "a\0", "\x7f", "a\nb"]


@pytest.mark.parametrize("header", [*NO_KEYS, *UNPRINTABLE])
def test_what_is_no_key_is_refused(header: str) -> None:
    with pytest.raises(MalformedKey, match="printable ASCII"):
        read_key(header)


def test_a_fingerprint_is_of_the_path_and_of_the_body_whatever_its_order() -> None:
    same = fingerprint("/a", {"x": 1, "y": 2})
    assert same == fingerprint("/a", {"y": 2, "x": 1})
    assert len({same, fingerprint("/b", {"x": 1, "y": 2}), fingerprint("/a", {"x": 1, "y": 3})}) == 3
    assert len(same) == 64


@once
def test_the_same_key_gives_the_same_job_whatever_was_predicted_since() -> None:
    predict()
    caller = orderer()
    first = order(caller, repeatable=repeatable())
    predict(seq=2)
    assert order(caller, repeatable=repeatable(), most=0) == first
    assert order(caller, repeatable=repeatable("other")) != first
    cancel(first, caller)
    assert order(caller, repeatable=repeatable()).state == "cancelled"


@once
def test_the_same_key_with_another_call_is_refused() -> None:
    predict()
    caller = orderer()
    order(caller, repeatable=repeatable())
    with pytest.raises(KeyReused):
        order(caller, depth="deep", repeatable=repeatable(body="deep"))
    assert ExplanationJob.objects.count() == 1


@once
def test_a_key_belongs_to_an_account() -> None:
    predict()
    first = order(orderer(), repeatable=repeatable())
    foreign = order(orderer(of="another"), repeatable=repeatable())
    assert first != foreign
    assert first.computation_id == foreign.computation_id


@once
def test_a_key_is_forgotten_after_a_day() -> None:
    predict()
    caller = orderer()
    first = order(caller, repeatable=repeatable())
    almost, then = NOW + KEPT - timedelta(seconds=1), NOW + KEPT
    assert order(caller, repeatable=repeatable(), now=almost) == first
    assert idempotency.prune(almost) == 0
    second = order(caller, repeatable=repeatable(body="deep"), now=then)
    assert second != first
    assert order(caller, repeatable=repeatable(body="deep"), now=then) == second
    assert IdempotencyKey.objects.count() == 1
    assert idempotency.prune(then) == 0
    assert idempotency.prune(then + KEPT) == 1


@once
def test_an_order_that_is_refused_leaves_its_key_free() -> None:
    predict()
    caller = orderer()
    with pytest.raises(ordering.TooManyJobs):
        order(caller, most=0, repeatable=repeatable())
    assert order(caller, repeatable=repeatable(body="deep"))


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_fifty_orders_with_one_key_at_once_are_one_job_and_one_message() -> None:
    predict()
    caller = orderer()
    found = set()

    def one() -> ExplanationJob:
        job = order(caller, repeatable=repeatable())
        found.add(job.pk)
        return job

    assert race(one, 50) == {"ExplanationJob": 50}
    assert len(found) == 1
    assert ExplanationJob.objects.count() == Computation.objects.count() == OutboxMessage.objects.count() == 1
