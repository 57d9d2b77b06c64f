"""Logins into the API: a family of refresh tokens each. Tokens are stored as digests only."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class TokenFamily(models.Model):
    """One login and everything that was refreshed from it; revoking it ends all of its tokens."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="families")
    # Of the password at login: a new password makes every older family worthless.
    password_fingerprint = models.CharField(max_length=128)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_because = models.CharField(max_length=20, blank=True)
    address = models.CharField(max_length=45, blank=True)
    agent = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = "login"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at:%Y-%m-%d %H:%M}"


class RefreshToken(models.Model):
    """One refresh token: good for one use."""

    digest = models.CharField(max_length=64, primary_key=True)
    family = models.ForeignKey(TokenFamily, on_delete=models.CASCADE, related_name="tokens")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"token of {self.family_id}"
