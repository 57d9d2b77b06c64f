"""Users of the admin, accounts that call the API, the tiers they are on and the keys they hold."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import models

from accounts import keys

SCOPES = (
    "predictions:read",
    "explanations:read",
    "explanations:write",
    "stream",
    "metrics:read",
    "keys:write",
    "admin",
)


def default_scopes() -> list[str]:
    """What a new key may do unless its creator says otherwise: read, explain, stream."""
    return ["predictions:read", "explanations:read", "explanations:write", "stream"]


class User(AbstractUser):
    """A person who logs in. Our own model from the first migration, so that it can grow."""


class Tier(models.Model):
    """A level of service. Its name is what contracts, seeds and commands use."""

    name = models.SlugField(max_length=50, unique=True)
    description = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Account(models.Model):
    """Who is charged for calls: a customer, a team, a program. Owns keys."""

    name = models.CharField(max_length=100, unique=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """One credential of an account. The secret is not here: only its SHA-256 is."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="keys")
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="keys")
    name = models.CharField(max_length=100, blank=True)
    environment = models.CharField(max_length=4, choices=[("live", "live"), ("test", "test")], default="live")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=default_scopes)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "api_keys"
        verbose_name = "API key"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name or 'key'} ({self.public_id})"

    @property
    def public_id(self) -> str:
        """The handle that may be shown and logged."""
        return keys.public_id(self.id)

    def is_usable(self, now: datetime) -> bool:
        """False once revoked or expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)
