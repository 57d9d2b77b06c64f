"""The outbox: messages that were promised in a transaction and are on their way to NATS."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class OutboxMessage(models.Model):
    """A message for JetStream. It stays after the server has it, until what it asks for is done.

    `epoch` and `seq` are the place where the server has put it: whoever looks there later finds out whether
    it was lost. A message is published again, under the same `msg_id`, until it has a place.
    """

    msg_id = models.CharField(primary_key=True, max_length=64)
    subject = models.CharField(max_length=128)
    payload = models.BinaryField()
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    epoch = models.CharField(max_length=32, blank=True)
    seq = models.BigIntegerField(null=True)
    published_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "outbox"
        indexes = [
            models.Index(fields=["created_at"], condition=Q(published_at=None), name="outbox_unpublished"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.msg_id}"
