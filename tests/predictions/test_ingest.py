"""A batch that the database does not take as a whole: each document is tried, and its flag stays its own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from django.db import DataError
from hypothesis import given
from hypothesis import strategies as st

from predictions import ingest, record
from predictions.documents import PredictionDocument
from tests.examples import examples
from tests.realtime.peers import document


@given(kinds=st.lists(st.sampled_from(["new", "known", "bad"]), min_size=1, max_size=40))
@examples(200)
def test_each_document_has_what_became_of_itself(kinds: list[str]) -> None:
    tries: list[int] = []

    def append(documents: Sequence[PredictionDocument]) -> list[bool]:
        tries.append(len(documents))
        told = [kinds[one.seq or 0] for one in documents]
        if "bad" in told:
            raise DataError
        return [kind == "new" for kind in told]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record, "append", append)
        recorded = ingest.record_batch([document(seq) for seq in range(len(kinds))])
    bad = [index for index, kind in enumerate(kinds) if kind == "bad"]
    assert recorded.own == [kind == "new" for kind in kinds]
    assert sorted(recorded.refused) == bad
    # Halving: a bad one costs no more tries than there are halves above it, and its neighbours'.
    assert len(tries) <= 1 + 2 * len(bad) * len(kinds).bit_length()
