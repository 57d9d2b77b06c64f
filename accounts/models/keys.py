"""API keys: one row a secret, which itself is not here."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models

from accounts import keys
from accounts.models.people import Account
from accounts.models.tiers import Tier


def default_scopes() -> list[str]:
    """What a new key may do unless its creator says otherwise: read, explain, stream."""
    return ["predictions:read", "explanations:read", "explanations:write", "stream"]


class ApiKey(models.Model):
    """One credential of an account. The secret is not here: only its SHA-256 is."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="keys")
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="keys")
    name = models.CharField(max_length=100, blank=True)
    environment = models.CharField(max_length=4, choices=[("live", "live"), ("test", "test")], default="live")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=default_scopes)
    networks = models.JSONField(default=list, blank=True)
    lineage = models.UUIDField(
        default=uuid.uuid4,
        editable=False,
        db_index=True,
        help_text="shared by a key and those it was rotated to: they draw on one quota",
    )
    replaces = models.OneToOneField(
        "self", on_delete=models.SET_NULL, related_name="replaced_by", null=True, editable=False
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="keys", null=True, editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    last_used_address = models.CharField(max_length=45, blank=True, editable=False)
    last_used_agent = models.CharField(max_length=200, blank=True, editable=False)

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

    def state(self, now: datetime) -> str:
        """``active``, ``expiring`` (replaced, but still good for a while), ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        if not self.is_usable(now):
            return "expired"
        return "expiring" if hasattr(self, "replaced_by") else "active"
