"""What the bridge does with a batch: into the record, then the newest of each symbol into Redis.

Both steps may be repeated with the same batch at any time and by any process: the record ignores what it
has, and Redis keeps the newer value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import DataError, IntegrityError

from predictions import newest, record
from predictions.documents import PredictionDocument


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch: a flag for each document that is to be told to readers, and refusals.

    `refused` maps the index of a document that the database cannot hold to the reason.
    """

    own: list[bool]
    refused: dict[int, str]


def record_batch(documents: Sequence[PredictionDocument]) -> Recorded:
    """Append the batch to the record; raises Django's `OperationalError` family while it is away.

    A document that the database refuses costs itself only: the batch is halved until it stands alone.
    """
    try:
        return Recorded(record.append(documents), {})
    except (DataError, IntegrityError, UnicodeEncodeError) as error:
        if len(documents) == 1:
            return Recorded([False], {0: f"the database refused it: {type(error).__name__}"})
    middle = len(documents) // 2
    first, second = record_batch(documents[:middle]), record_batch(documents[middle:])
    return Recorded(
        first.own + second.own,
        first.refused | {index + middle: reason for index, reason in second.refused.items()},
    )


def publish_newest(documents: Sequence[PredictionDocument]) -> None:
    """Offer the newest document of each symbol in the batch to Redis. Raises `NewestUnavailable`."""
    latest: dict[str, PredictionDocument] = {}
    for document in documents:
        known = latest.get(document.symbol)
        if known is None or known.order <= document.order:
            latest[document.symbol] = document
    if latest:
        newest.store().put_if_newer(latest.values())
