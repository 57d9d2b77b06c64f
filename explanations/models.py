"""What was ordered, and what came of it: a computation that several may share, a job for each who asked."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from events.explanations import DEPTHS


class Computation(models.Model):
    """One explanation of one exact prediction to one depth, computed once.

    `id` is the ``job_id`` on NATS: the id of the first job that asked for it. Its state only moves forward:
    queued, running, then one of done, failed, cancelled; every event may arrive twice and late. `finished_at`
    is None until then: what asks for the unfinished asks for that, since a plan made without values can use
    an index that is bound to it.
    """

    class State(models.TextChoices):
        """Where it stands."""

        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    UNFINISHED = (State.QUEUED, State.RUNNING)
    # What another order of the same thing joins; only one of these may stand (`computed_once`).
    SHARED = (*UNFINISHED, State.DONE)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    symbol = models.CharField(max_length=32)
    depth = models.CharField(max_length=6, choices=[(depth, depth) for depth in DEPTHS])
    # The prediction as it was recorded; (symbol, timestamp, model version) names it, the document holds it
    # all.
    prediction_timestamp = models.DateTimeField()
    model_version = models.CharField(max_length=64)
    prediction = models.JSONField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    progress = models.FloatField(default=0.0)
    stage = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    reason = models.CharField(max_length=500, blank=True)
    result = models.JSONField(null=True)
    took_s = models.FloatField(null=True)
    created_at = models.DateTimeField()
    heard_at = models.DateTimeField(help_text="last sign of life: order, progress, or end")
    finished_at = models.DateTimeField(null=True)
    request_id = models.CharField(max_length=128, blank=True)

    class Meta:
        constraints = [
            # Two orders at the same moment: one of them makes the computation, the other joins it.
            models.UniqueConstraint(
                fields=["symbol", "prediction_timestamp", "model_version", "depth"],
                condition=Q(state__in=("queued", "running", "done")),
                name="computed_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["symbol", "-prediction_timestamp", "-finished_at"], name="newest_explanation"
            ),
            models.Index(fields=["heard_at"], condition=Q(finished_at=None), name="unfinished"),
            models.Index(fields=["depth", "-finished_at"], name="recently_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.depth} explanation of {self.symbol} ({self.state})"


class ExplanationJob(models.Model):
    """One caller's order. It shares the fate of its computation unless its owner cancels it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Its index is `jobs_of_computation`.
    computation = models.ForeignKey(
        Computation, on_delete=models.CASCADE, related_name="jobs", db_index=False
    )
    account_id = models.BigIntegerField()
    key_id = models.UUIDField(null=True)
    ordered_by = models.CharField(max_length=200, help_text="key or user")
    created_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["account_id", "-created_at"], name="jobs_of_account"),
            models.Index(fields=["computation", "account_id"], name="jobs_of_computation"),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def state(self) -> str:
        """The computation's state, unless this order was cancelled before it ended."""
        return Computation.State.CANCELLED.value if self.cancelled_at else self.computation.state


class IdempotencyKey(models.Model):
    """What was answered to a call that its client may repeat: one key gives one answer for a day."""

    account_id = models.BigIntegerField()
    route = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of path and body")
    job = models.ForeignKey(ExplanationJob, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account_id", "route", "key"], name="idempotency_key_once")
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.key[:20]}"
