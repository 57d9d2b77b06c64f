"""Accounts: who is charged for calls, on which tier, with how many keys and calls."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin.audited import Audited
from accounts.admin.look import display
from accounts.models import Account, UsageHour

_CHANGEABLE = ("name", "tier", "is_active")
_SHOWN = ("keys_of_it", "calls_today", "created_at")


@admin.register(Account)
class AccountAdmin(Audited[Account]):
    """Customers, teams and programs."""

    add_role = change_role = "operator"
    delete_role = "admin"
    audit_kind = "account"
    audit_fields = _CHANGEABLE
    list_display = ("name", "tier", "is_active", "key_count", "calls_today", "created_at")
    list_filter = ("tier", "is_active")
    list_select_related = ("tier",)
    search_fields = ("name",)
    ordering = ("name",)
    readonly_fields = _SHOWN

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        """With keys and calls, by one query for all rows."""
        since = timezone.now() - timedelta(hours=24)
        calls = (
            UsageHour.objects.filter(account_id=OuterRef("pk"), hour__gte=since)
            .order_by()
            .values("account_id")
            .annotate(total=Sum("calls"))
            .values("total")
        )
        return (
            super()
            .get_queryset(request)
            .annotate(keys_of=Count("keys"), calls_of=Coalesce(Subquery(calls), 0))
        )

    def get_fields(self, request: HttpRequest, obj: Account | None = None) -> tuple[str, ...]:
        """A new account has nothing to show yet."""
        return _CHANGEABLE if obj is None else (*_CHANGEABLE, *_SHOWN)

    def why_not_deleted(self, request: HttpRequest, obj: Account) -> str | None:
        """Keys tell of the past; an account that had some is switched off instead."""
        if obj.keys.exists():
            return f"“{obj}” has keys, which are kept for the record: switch the account off instead."
        return None

    @display(description="keys", ordering="keys_of")
    def key_count(self, account: Any) -> SafeString:
        """How many keys it has, as a link to them."""
        return format_html('<a class="pgw-link" href="{}">{}</a>', keys_address(account), account.keys_of)

    @display(description="keys")
    def keys_of_it(self, account: Any) -> SafeString:
        """Links to the keys and to a new one."""
        return format_html(
            '<a class="pgw-link" href="{}">{} keys</a>, '
            '<a class="pgw-link" href="{}?account={}">make a new one</a>',
            keys_address(account),
            account.keys_of,
            reverse("admin:accounts_apikey_add"),
            account.pk,
        )

    @display(description="calls in 24 h", ordering="calls_of")
    def calls_today(self, account: Any) -> str:
        """Calls of the last 24 hours."""
        return f"{account.calls_of:,}"


def keys_address(account: Account) -> str:
    """The list of the account's keys."""
    return f"{reverse('admin:accounts_apikey_changelist')}?account__id__exact={account.pk}"
