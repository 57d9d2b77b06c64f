"""Logins into the API: who is logged in from where, and an end to it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts.admin.audited import GatewayAdmin
from accounts.admin.key_pages import MOST_AT_ONCE
from accounts.admin.look import display
from accounts.admin.rights import actor_of, may
from accounts.models import TokenFamily
from accounts.staff_actions import end_logins

_STATES = {"stands": "success", "ended": "danger", "expired": "warning"}


@admin.register(TokenFamily)
class LoginAdmin(GatewayAdmin[TokenFamily]):
    """One row a login; tokens and fingerprints are not shown."""

    audit_kind = "session"
    list_display = ("user", "created_at", "told_state", "revoked_because", "expires_at", "address", "agent")
    list_filter = ("revoked_because", "user__role")
    list_select_related = ("user",)
    search_fields = ("user__username", "=address")
    fields = (
        "user",
        "created_at",
        "expires_at",
        "revoked_at",
        "revoked_because",
        "address",
        "agent",
    )
    actions = ("end_selected",)

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Operators may end logins."""
        return may(request, "operator")

    @admin.action(description="End these logins", permissions=["end"])
    def end_selected(self, request: HttpRequest, queryset: QuerySet[TokenFamily]) -> HttpResponseBase | None:
        """Ask, then end those that stand."""
        chosen = list(queryset[: MOST_AT_ONCE + 1])
        if len(chosen) > MOST_AT_ONCE:
            self.message_user(request, f"Choose {MOST_AT_ONCE} logins at most.", messages.ERROR)
            return None
        if "confirmed" not in request.POST:
            context = {
                **self.admin_site.each_context(request),
                "title": "End these logins?",
                "advice": "Whoever uses them has to log in again. This cannot be undone.",
                "verb": "End the logins",
                "action": "end_selected",
                "things": chosen,
                "opts": self.opts,
            }
            return TemplateResponse(request, "admin/confirm_selected.html", context)
        ended = end_logins(families=chosen, actor=actor_of(request), now=timezone.now())
        self.message_user(request, f"Logins ended: {ended}.", messages.SUCCESS)
        return None

    @display(description="state", label=_STATES)
    def told_state(self, family: Any) -> str:
        """``stands``, ``ended`` or ``expired``."""
        if family.revoked_at is not None:
            return "ended"
        return "stands" if family.expires_at > timezone.now() else "expired"
