"""The newest explanations in Redis: replaced by none of an older prediction, and not missed when Redis is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import OperationalError

from events.explanations import Depth
from explanations import documents, reads, store
from explanations.models import Computation
from explanations.store import ExplanationStore, StoreUnavailable
from gateway_project import embedded
from predictions.reads import NoStoreReachable
from tests.explanations.ends import apply_completed, completed
from tests.explanations.explained import document
from tests.explanations.orderers import NOW, order, orderer, predict


@pytest.fixture
def held(redis_client: redis.Redis) -> ExplanationStore:
    """The process's store on an empty Valkey."""
    return store.store()


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[ExplanationStore]:
    """A store whose Redis does not answer."""
    url = f"redis://127.0.0.1:{embedded.free_port()}/0"
    made = ExplanationStore(url, connections=2)
    monkeypatch.setattr(store, "store", lambda: made)
    yield made
    made.close()


def test_an_explanation_is_the_newest_of_its_depth_and_of_any(
    held: ExplanationStore, redis_client: redis.Redis
) -> None:
    fast = document()
    deep = document(depth="deep", generated_at=NOW + timedelta(seconds=1))
    held.put([deep, fast])
    assert held.get("AAPL", None) == held.get("AAPL", "deep") == deep
    assert held.get("AAPL", "fast") == fast
    assert held.get("AAPL", "medium") is held.get("MSFT", None) is None
    assert sorted(redis_client.keys()) == [
        b"explanation:AAPL",
        b"explanation:AAPL:deep",
        b"explanation:AAPL:fast",
    ]
    assert 0 < redis_client.ttl("explanation:AAPL") <= store.TTL_S


@pytest.mark.parametrize("micros", [0, 1, 999_999, 1_000_000])
def test_one_of_an_older_prediction_does_not_replace_it(held: ExplanationStore, micros: int) -> None:
    old = document(generated_at=NOW + timedelta(hours=9))
    new = document(at=NOW + timedelta(microseconds=micros), generated_at=NOW + timedelta(hours=10))
    held.put([new, old])
    assert held.get("AAPL", "fast") == held.get("AAPL", None) == new
    held.put([old])
    assert held.get("AAPL", "fast") == new
    again = document(at=NOW + timedelta(microseconds=micros), generated_at=NOW + timedelta(hours=11))
    held.put([again])
    assert held.get("AAPL", "fast") == again


@pytest.mark.parametrize("junk", [b"{", b"[]", b"{}", b'{"prediction": 1}', b"\xff", b"null"])
def test_what_nobody_can_read_counts_as_missing_and_is_replaced(
    held: ExplanationStore, redis_client: redis.Redis, junk: bytes
) -> None:
    redis_client.set("explanation:AAPL", junk)
    assert held.get("AAPL", None) is None
    held.put([document()])
    assert held.get("AAPL", None) is not None


def test_a_value_of_another_symbol_or_depth_counts_as_missing(
    held: ExplanationStore, redis_client: redis.Redis
) -> None:
    redis_client.set("explanation:MSFT", documents.encode(document()))
    redis_client.set("explanation:AAPL:deep", documents.encode(document()))
    assert held.get("MSFT", None) is held.get("AAPL", "deep") is None


def test_a_redis_that_is_away_is_told(away: ExplanationStore) -> None:
    for _ in range(2):  # the second one is not even tried
        with pytest.raises(StoreUnavailable):
            away.put([document()])
        with pytest.raises(StoreUnavailable):
            away.get("AAPL", None)


def test_a_document_comes_back_as_it_was_put() -> None:
    one = document(features={"huge": 10**22, "small": 1e-7, "word": "x", "none": None, "yes": True})
    assert documents.decode(documents.encode(one)) == one
    assert one.prediction.features == {"huge": 1e22, "small": 1e-7, "word": "x", "none": None, "yes": True}
    assert one.order == (NOW, NOW)
    with pytest.raises(documents.MalformedDocument):
        documents.decode(b"{}")


def explained(depth: Depth = "fast", seq: int = 1) -> Computation:
    """A computation that is done, in the database alone."""
    predict(seq=seq)
    job = order(orderer(), depth=depth)
    done = apply_completed(completed(job.pk, depth), NOW + timedelta(minutes=10 - seq))
    assert done is not None
    return done


@pytest.mark.django_db
def test_what_redis_does_not_have_is_read_from_the_database_and_put_back(held: ExplanationStore) -> None:
    explained("deep")
    newest = store.document_of(explained("fast", seq=2))  # of a newer prediction, and done before
    assert reads.newest_explanation("AAPL", None) == newest
    assert held.get("AAPL", None) == held.get("AAPL", "fast") == newest
    deep = reads.newest_explanation("AAPL", "deep")
    assert deep is not None
    assert deep.depth == "deep"
    assert held.get("AAPL", None) == newest
    assert reads.newest_explanation("AAPL", "medium") is reads.newest_explanation("MSFT", None) is None


@pytest.mark.django_db
def test_what_is_done_is_put_for_readers(held: ExplanationStore) -> None:
    done = explained()
    store.put([done])
    Computation.objects.all().delete()
    assert reads.newest_explanation("AAPL", None) == store.document_of(done)
    with pytest.raises(ValueError, match="is queued"):
        store.document_of(Computation())


@pytest.mark.django_db
def test_the_database_answers_while_redis_is_away(redis_client: redis.Redis, away: ExplanationStore) -> None:
    done = explained()
    assert reads.newest_explanation("AAPL", "fast") == store.document_of(done)


def test_without_any_store_nothing_can_be_read(
    away: ExplanationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(reads, "_recorded", fail)
    with pytest.raises(NoStoreReachable):
        reads.newest_explanation("AAPL", None)


@pytest.mark.django_db
def test_a_redis_that_goes_away_between_reading_and_putting_back_costs_nothing(
    held: ExplanationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = explained()

    def fail(*_: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(ExplanationStore, "put", fail)
    assert reads.newest_explanation("AAPL", None) == store.document_of(done)
