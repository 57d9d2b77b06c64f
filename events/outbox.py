"""The outbox in the database: promising a message in a transaction, and keeping account of what became of it.

A promise is kept by `events.relay`: at once after the commit, and by a sweep for whatever that has missed.
I/O only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from events.models import OutboxMessage


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way: `msg_id` is the same at every try, so that the server keeps one copy."""

    msg_id: str
    subject: str
    payload: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server has put a message: the life of the stream, and the sequence there."""

    msg_id: str
    epoch: str
    seq: int


def promise(outgoing: Outgoing, *, now: datetime) -> None:
    """Write `outgoing` in the caller's transaction. A second promise of one `msg_id` changes nothing."""
    OutboxMessage.objects.get_or_create(
        msg_id=outgoing.msg_id,
        defaults={
            "subject": outgoing.subject,
            "payload": outgoing.payload,
            "headers": outgoing.headers,
            "created_at": now,
        },
    )


def take_unpublished(*, before: datetime, most: int) -> list[Outgoing]:
    """The oldest messages without a place that were promised before `before`."""
    rows = OutboxMessage.objects.filter(published_at=None, created_at__lt=before).order_by("created_at")
    return [_outgoing(row) for row in rows[:most]]


def mark_published(places: Sequence[Place], *, now: datetime) -> None:
    """Note where messages are. One statement; one that is done with meanwhile stays deleted."""
    if not places:
        return
    rows = [OutboxMessage(msg_id=p.msg_id, epoch=p.epoch, seq=p.seq, published_at=now) for p in places]
    with transaction.atomic():
        OutboxMessage.objects.bulk_update(rows, ["epoch", "seq", "published_at"])


def places_of(msg_ids: Iterable[str]) -> dict[str, Place]:
    """Where those of `msg_ids` are that have been published."""
    rows = OutboxMessage.objects.filter(msg_id__in=list(msg_ids)).exclude(published_at=None)
    return {row.msg_id: Place(row.msg_id, row.epoch, row.seq or 0) for row in rows}


def forget_places(msg_ids: Iterable[str]) -> int:
    """What was lost at the server: it is published again by the next sweep. Returns how many."""
    lost = OutboxMessage.objects.filter(msg_id__in=list(msg_ids))
    return lost.update(published_at=None, epoch="", seq=None)


def drop(msg_ids: Iterable[str]) -> None:
    """What these messages asked for is done: nothing is owed any more."""
    OutboxMessage.objects.filter(msg_id__in=list(msg_ids)).delete()


def oldest_unpublished() -> datetime | None:
    """When the oldest message without a place was promised; None where nothing is owed."""
    row = OutboxMessage.objects.filter(published_at=None).order_by("created_at").first()
    return None if row is None else row.created_at


def _outgoing(row: OutboxMessage) -> Outgoing:
    return Outgoing(row.msg_id, row.subject, bytes(row.payload), dict(row.headers))
