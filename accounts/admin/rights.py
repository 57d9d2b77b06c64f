"""Who may do what in the admin: by role, in the place of Django's groups and permissions.

Staff of every role look at everything and revoke keys; operators also run accounts, keys and logins; admins
may do the rest. Asked on the server, for every view and action.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from accounts.models import User
from accounts.roles import ROLE_SCOPES, reaches

SECRETS = frozenset({"digest", "password", "password_fingerprint"})
"""Columns that no list may be filtered by."""


def role_of(request: HttpRequest) -> str:
    """The role of the member of staff who asks; empty for everybody else."""
    user = request.user
    return user.effective_role if isinstance(user, User) and user.is_active and user.is_staff else ""


def may(request: HttpRequest, role: str | None) -> bool:
    """True if who asks is staff with `role` or one above; None is nobody's."""
    return role is not None and reaches(role_of(request), role)


def grantable_scopes(request: HttpRequest) -> frozenset[str]:
    """The scopes that who asks may give to a key: nobody makes a key that may do more than they may."""
    return ROLE_SCOPES.get(role_of(request), frozenset())


def actor_of(request: HttpRequest) -> str:
    """How the audit names who asks."""
    return f"user {request.user.get_username()}"


class ByRole:
    """Goes before Django's class. The role that each kind of change needs; None: nobody makes it here."""

    add_role: str | None = None
    change_role: str | None = None
    delete_role: str | None = None

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """A list must not be filtered by what it does not show: a digest could be read digit by digit."""
        if SECRETS.intersection(lookup.split("__")):
            return False
        allowed: bool = super().lookup_allowed(lookup, value, request)  # type: ignore[misc] # Django's class
        return allowed

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Staff see every part."""
        return may(request, "viewer")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Staff look at everything."""
        return may(request, "viewer")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By `add_role`."""
        return may(request, self.add_role)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By `change_role`."""
        return may(request, self.change_role)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By `delete_role`."""
        return may(request, self.delete_role)
