"""What is written as calls and changes happen: usage, failures, audit, and the log that caches follow."""

from __future__ import annotations

import uuid
from typing import Any, NoReturn

from django.db import models

NO_KEY = uuid.UUID(int=0)
"""Stands in `UsageHour.key_id` for calls without a key."""

NO_ACCOUNT = 0
"""Stands in `UsageHour.account_id` for calls without a credential."""


class UsageHour(models.Model):
    """Calls of one key on one route in one hour, by class of status. Added to, in batches, by every process.

    Plain ids instead of foreign keys: rows outlive the keys, and a zero is a value that unique can see.
    """

    hour = models.DateTimeField()
    account_id = models.BigIntegerField(default=NO_ACCOUNT)
    key_id = models.UUIDField(default=NO_KEY)
    route = models.CharField(max_length=64)
    status_class = models.PositiveSmallIntegerField()
    calls = models.PositiveBigIntegerField()
    errors = models.PositiveBigIntegerField(help_text="answers with a status of 500 or above")
    throttled = models.PositiveBigIntegerField(help_text="answers with status 429")
    latency_sum_ms = models.FloatField()
    latency_max_ms = models.FloatField()
    bytes_out = models.PositiveBigIntegerField()

    class Meta:
        verbose_name = "hour of usage"
        verbose_name_plural = "usage"
        ordering = ["-hour", "route"]
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "account_id", "key_id", "route", "status_class"], name="usage_once"
            )
        ]
        indexes = [models.Index(fields=["account_id", "hour"], name="usage_of_account")]

    def __str__(self) -> str:
        return f"{self.route} {self.status_class}xx at {self.hour:%Y-%m-%d %H:00}"


class AuthenticationFailure(models.Model):
    """Refused credentials of one minute: why, from where, which key if it is known; never the secret."""

    minute = models.DateTimeField()
    reason = models.CharField(max_length=12)
    key = models.CharField("key (public id)", max_length=22, blank=True)
    address = models.CharField(max_length=45)
    count = models.PositiveBigIntegerField()

    class Meta:
        ordering = ["-minute", "-count"]
        constraints = [
            models.UniqueConstraint(fields=["minute", "reason", "key", "address"], name="failure_once")
        ]

    def __str__(self) -> str:
        return f"{self.reason} from {self.address} at {self.minute:%Y-%m-%d %H:%M}"


class AppendOnly(Exception):
    """Audit events are neither changed nor deleted."""


class AuditEvent(models.Model):
    """Who did what to what. Append-only: here, in the admin, and by a trigger in the database."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    actor = models.CharField(max_length=200, help_text="user, key (public id) or command")
    action = models.CharField(max_length=50, db_index=True)
    kind = models.CharField(max_length=20)
    subject_id = models.CharField(max_length=50)
    subject = models.CharField(max_length=200)
    detail = models.JSONField(default=dict)
    address = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=128, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["kind", "subject_id"], name="audit_of_subject")]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write a new event."""
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnly


class AccessChange(models.Model):
    """Something that decides who may call has changed. Written by triggers, followed by every process."""

    at = models.DateTimeField(db_index=True)
    kind = models.CharField(max_length=8)
    subject = models.CharField(max_length=50)

    class Meta:
        db_table = "access_changes"

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
