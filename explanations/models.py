"""What was ordered, and what came of it: a computation that several may share, a job for each who asked."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from events.explanations import DEPTHS

_IS_UNFINISHED = Q(finished_at=None)
_IS_DONE = Q(result__isnull=False)
_IS_SHARED = _IS_UNFINISHED | _IS_DONE


class Computation(models.Model):
    """One explanation of one exact prediction to one depth, computed once.

    `id` is the ``job_id`` on NATS: the id of the first job that asked for it. Its state only moves forward:
    queued, running, then one of done, failed, cancelled; every event may arrive twice and late. `finished_at`
    is None until it ends, and `result` unless it is done: what is asked often asks for these, since a plan
    that is made without values cannot use an index of the rows with some states.
    """

    class State(models.TextChoices):
        """Where it stands."""

        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    UNFINISHED = (State.QUEUED, State.RUNNING)
    IS_UNFINISHED = _IS_UNFINISHED
    IS_DONE = _IS_DONE
    # What another order of the same thing joins; only one of these may stand (`computed_once`).
    IS_SHARED = _IS_SHARED

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
                condition=_IS_SHARED,
                name="computed_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("queued", "running"), finished_at=None)
                | Q(state__in=("done", "failed", "cancelled"), finished_at__isnull=False),
                name="unfinished_without_an_end",
            ),
            models.CheckConstraint(
                condition=Q(state="done", result__isnull=False) | (~Q(state="done") & Q(result__isnull=True)),
                name="done_with_a_result",
            ),
        ]
        indexes = [
            models.Index(
                fields=["symbol", "-prediction_timestamp", "-finished_at"],
                condition=_IS_DONE,
                name="newest_explanation",
            ),
            models.Index(
                fields=["symbol", "depth", "-prediction_timestamp", "-finished_at"],
                condition=_IS_DONE,
                name="newest_of_depth",
            ),
            models.Index(
                fields=["depth", "-finished_at"],
                condition=_IS_DONE,
                name="recently_finished",
            ),
            models.Index(fields=["heard_at"], condition=_IS_UNFINISHED, name="unfinished"),
            models.Index(fields=["-created_at", "-id"], name="newest_computations"),
            models.Index(fields=["state", "-created_at", "-id"], name="newest_of_state"),
        ]

    def __str__(self) -> str:
        return f"{self.depth} explanation of {self.symbol} ({self.state})"


class ExplanationJob(models.Model):
    """One caller's order. It shares the fate of its computation unless its owner cancels it.

    `ended_at` is None while it is in flight: it is set with the end of its computation, in the same
    transaction, or when it is cancelled.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    computation = models.ForeignKey(Computation, on_delete=models.CASCADE, related_name="jobs")
    account_id = models.BigIntegerField()
    key_id = models.UUIDField(null=True)
    ordered_by = models.CharField(max_length=200, help_text="key or user")
    created_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["account_id"], condition=Q(ended_at=None), name="jobs_in_flight"),
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
