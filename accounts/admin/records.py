"""What was written as things happened, to be read only: usage, refused credentials, the audit."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import access, keys
from accounts.admin.audited import GatewayAdmin
from accounts.admin.exports import export_events
from accounts.admin.look import ChangeList, FieldTextFilter, M, display
from accounts.models import Account, AuditEvent, AuthenticationFailure, UsageHour
from accounts.models.records import NO_ACCOUNT, NO_KEY

_EVENT_FIELDS = (
    "at",
    "actor",
    "action",
    "kind",
    "subject",
    "subject_id",
    "whole_detail",
    "address",
    "request_id",
)
_PERIODS = {"1": "last 24 hours", "7": "last 7 days", "30": "last 30 days"}


class PeriodFilter(admin.SimpleListFilter):
    """How far back; cheaper than a hierarchy of dates, which would read the whole table to find its days."""

    title = "period"
    parameter_name = "days"
    field = "at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """Days back."""
        return _PERIODS.items()

    def queryset(self, request: HttpRequest, queryset: QuerySet[M]) -> QuerySet[M]:
        """What is not older."""
        days = self.value()
        if days not in _PERIODS:
            return queryset
        since: datetime = timezone.now() - timedelta(days=int(days))
        return queryset.filter(**{f"{self.field}__gte": since})


class HourFilter(PeriodFilter):
    """Of usage."""

    field = "hour"


class MinuteFilter(PeriodFilter):
    """Of refused credentials."""

    field = "minute"


class RouteFilter(admin.SimpleListFilter):
    """The routes that there are, rather than those that a scan of the table would find."""

    title = parameter_name = "route"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """All routes of the API."""
        return [(route, route) for route in sorted([*access.ROUTES, "unmatched"])]

    def queryset(self, request: HttpRequest, queryset: QuerySet[M]) -> QuerySet[M]:
        """The calls of one."""
        return queryset.filter(route=self.value()) if self.value() else queryset


class UsageList(ChangeList):
    """A page of usage with the names of its accounts, which the rows hold only as numbers."""

    def get_results(self, request: HttpRequest) -> None:
        """Two queries more, however long the page is."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        names = dict(
            Account.objects.filter(pk__in={row.account_id for row in self.result_list}).values_list(
                "pk", "name"
            )
        )
        for row in self.result_list:
            row.account_name = names.get(row.account_id, "")


@admin.register(UsageHour)
class UsageAdmin(GatewayAdmin[UsageHour]):
    """Calls by hour, account, key and route."""

    list_display = (
        "hour",
        "told_account",
        "told_key",
        "route",
        "told_class",
        "calls",
        "throttled",
        "errors",
        "latency",
        "latency_max",
    )
    list_display_links = None
    show_full_result_count = False
    list_filter = (HourFilter, RouteFilter, "status_class")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Any]:
        """The one that knows names."""
        return UsageList

    @display(description="account", ordering="account_id")
    def told_account(self, row: UsageHour) -> str:
        """The name; the number of an account that is gone; nothing for callers without a credential."""
        if row.account_id == NO_ACCOUNT:
            return "anonymous"
        return getattr(row, "account_name", "") or f"account {row.account_id}"

    @display(description="key")
    def told_key(self, row: UsageHour) -> str:
        """The public id."""
        return "-" if row.key_id == NO_KEY else keys.public_id(row.key_id)

    @display(description="status", ordering="status_class")
    def told_class(self, row: UsageHour) -> str:
        """2xx and so on."""
        return f"{row.status_class}xx"

    @display(description="mean ms")
    def latency(self, row: UsageHour) -> str:
        """Milliseconds a call took."""
        return f"{row.latency_sum_ms / row.calls:.1f}" if row.calls else "-"

    @display(description="max ms", ordering="latency_max_ms")
    def latency_max(self, row: UsageHour) -> str:
        """Milliseconds the slowest call took."""
        return f"{row.latency_max_ms:.1f}"


@admin.register(AuthenticationFailure)
class FailureAdmin(GatewayAdmin[AuthenticationFailure]):
    """Refused credentials by minute."""

    list_display = ("minute", "reason", "key", "address", "count")
    list_display_links = None
    show_full_result_count = False
    list_filter = (MinuteFilter, ("reason", FieldTextFilter))
    search_fields = ("=key", "=address", "=reason")
    search_help_text = "Public id of a key, address or reason, in full"


@admin.register(AuditEvent)
class AuditAdmin(GatewayAdmin[AuditEvent]):
    """Who did what to what."""

    list_display = ("at", "actor", "action", "subject", "told_detail", "address")
    show_full_result_count = False
    list_filter = (
        PeriodFilter,
        ("kind", admin.AllValuesFieldListFilter),
        ("action", admin.AllValuesFieldListFilter),
        ("actor", FieldTextFilter),
    )
    search_fields = ("actor", "subject", "=subject_id", "=action", "=address", "=request_id")
    search_help_text = "Actor, subject, or in full: subject id, action, address, request id"
    list_before_template = "admin/audit_export.html"
    fields = _EVENT_FIELDS

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the export."""
        export = self.admin_site.admin_view(self.export_view)
        return [path("export/", export, name="accounts_auditevent_export"), *super().get_urls()]

    def get_readonly_fields(self, request: HttpRequest, obj: AuditEvent | None = None) -> tuple[str, ...]:
        """All of it."""
        return _EVENT_FIELDS

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """What the list shows, all pages of it, as CSV."""
        return export_events(request, cast(Any, self))

    @display(description="detail")
    def told_detail(self, event: AuditEvent) -> SafeString:
        """The beginning of it."""
        text = json.dumps(event.detail, ensure_ascii=False) if event.detail else ""
        return format_html(
            '<span class="pgw-detail" title="{}">{}</span>', text, text[:80] + ("…" if len(text) > 80 else "")
        )

    @display(description="detail")
    def whole_detail(self, event: AuditEvent) -> SafeString:
        """All of it, indented."""
        return format_html(
            '<pre class="pgw-pre">{}</pre>', json.dumps(event.detail, indent=2, ensure_ascii=False)
        )
