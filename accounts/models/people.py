"""Accounts that are charged for calls, and the people who log in for them."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models

from accounts.models.tiers import Tier
from accounts.roles import ROLE_SCOPES


class Account(models.Model):
    """Who is charged for calls: a customer, a team, a program. Owns keys."""

    name = models.CharField(max_length=100, unique=True)
    tier = models.ForeignKey(
        Tier,
        on_delete=models.PROTECT,
        related_name="accounts",
        help_text="for calls of people who are logged in, and for keys that they register",
    )
    is_active = models.BooleanField(default=True, help_text="off: every key and login of it is refused")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A person who logs in: into the API with `role`, and into the admin if `is_staff`."""

    role = models.CharField(
        max_length=8,
        choices=[(role, role) for role in ROLE_SCOPES],
        default="viewer",
        help_text="what the person may do: viewers look, operators run, admins change",
    )
    account = models.ForeignKey(
        Account, on_delete=models.SET_NULL, related_name="users", null=True, blank=True
    )

    @property
    def effective_role(self) -> str:
        """The role; a superuser is an admin whatever stands there."""
        return "admin" if self.is_superuser else self.role
