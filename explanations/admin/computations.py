"""Explanation jobs in the admin: one row a computation, with the orders that share it. Nothing is edited."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin.audited import GatewayAdmin
from accounts.admin.look import ActionVariant, action, display
from accounts.admin.rights import may
from accounts.models import Account
from accounts.models.records import NO_ACCOUNT
from explanations.actions import AUDIT_KIND
from explanations.admin import job_list, job_pages
from explanations.models import Computation, ExplanationJob

_MOST_ORDERS = 200
_FIELDS = (
    "id",
    "symbol",
    "depth",
    "told_state",
    "told_progress",
    "attempts",
    "reason",
    "created_at",
    "heard_at",
    "finished_at",
    "told_took",
    "model_version",
    "prediction_timestamp",
    "request_id",
    "told_prediction",
)


@admin.register(Computation)
class ComputationAdmin(GatewayAdmin[Computation]):
    """Looked at by all staff; requeued and cancelled by operators."""

    audit_kind = AUDIT_KIND
    list_display = (
        "symbol",
        "depth",
        "told_state",
        "told_progress",
        "attempts",
        "told_orders",
        "created_at",
        "finished_at",
        "told_took",
        "told_reason",
    )
    list_filter = ("state", "depth", job_list.AgeFilter)
    show_full_result_count = False
    ordering = ("-created_at", "-pk")
    search_fields = ("=symbol",)
    search_help_text = "In full: symbol, computation id or job id"
    fieldsets = (
        (None, {"fields": _FIELDS[:7]}),
        ("Times", {"fields": _FIELDS[7:11]}),
        ("What is explained", {"fields": _FIELDS[11:]}),
    )
    change_form_outer_after_template = "admin/explanations/orders.html"
    actions = ("requeue_selected", "cancel_selected")
    actions_detail = ("requeue", "cancel")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Computation]:
        """Without the result, which is long and not shown."""
        return super().get_queryset(request).defer("result")

    def get_readonly_fields(self, request: HttpRequest, obj: Computation | None = None) -> tuple[str, ...]:
        """All of it."""
        return _FIELDS

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Any]:
        """The one that counts orders."""
        return job_list.JobList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Computation], search_term: str
    ) -> tuple[QuerySet[Computation], bool]:
        """By an index each, which Django's own search would not use."""
        return (job_list.find(queryset, search_term) if search_term else queryset), False

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Operators requeue and cancel."""
        return may(request, job_pages.ROLE)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Under the name that people know."""
        return super().changelist_view(request, {"title": "Explanation jobs", **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With the orders below."""
        computation = self.get_object(request, object_id)
        shown = {} if computation is None else _orders(computation)
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """What can still be done to the job."""
        computation = self.get_object(request, str(object_id))
        if computation is None or computation.state == Computation.State.DONE:
            return []
        offered = super().get_actions_detail(request, object_id)
        if computation.state in Computation.UNFINISHED:
            return offered
        return [one for one in offered if not one.action_name.endswith("_cancel")]

    @action(description="Requeue", permissions=["operate"], url_path="requeue", icon="replay")
    def requeue(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Begin anew."""
        return job_pages.one(self, request, object_id, job_pages.REQUEUE)

    @action(
        description="Cancel",
        permissions=["operate"],
        url_path="cancel",
        icon="cancel",
        variant=ActionVariant.DANGER,
    )
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """End for everybody."""
        return job_pages.one(self, request, object_id, job_pages.CANCEL)

    @admin.action(description="Requeue these jobs", permissions=["operate"])
    def requeue_selected(
        self, request: HttpRequest, queryset: QuerySet[Computation]
    ) -> HttpResponseBase | None:
        """Begin all that are selected anew."""
        return job_pages.several(self, request, queryset, job_pages.REQUEUE)

    @admin.action(description="Cancel these jobs", permissions=["operate"])
    def cancel_selected(
        self, request: HttpRequest, queryset: QuerySet[Computation]
    ) -> HttpResponseBase | None:
        """End all that are selected."""
        return job_pages.several(self, request, queryset, job_pages.CANCEL)

    @display(description="state", ordering="state", label=job_list.STATE_LABELS)
    def told_state(self, row: Computation) -> str:
        """Where it stands."""
        return row.state

    @display(description="progress")
    def told_progress(self, row: Computation) -> str:
        """In percent."""
        return f"{row.progress:.0%}"

    @display(description="orders")
    def told_orders(self, row: Computation) -> int:
        """How many share it."""
        return int(getattr(row, "order_count", 0))

    @display(description="took", ordering="took_s")
    def told_took(self, row: Computation) -> str:
        """What its worker needed."""
        return "-" if row.took_s is None else _duration(row.took_s)

    @display(description="reason")
    def told_reason(self, row: Computation) -> SafeString | str:
        """The beginning of it."""
        if not row.reason:
            return "-"
        shown = row.reason[:60] + ("…" if len(row.reason) > 60 else "")
        return format_html('<span class="pgw-detail" title="{}">{}</span>', row.reason, shown)

    @display(description="prediction")
    def told_prediction(self, row: Computation) -> SafeString:
        """As it was recorded."""
        text = json.dumps(row.prediction, indent=2, ensure_ascii=False)
        return format_html('<pre class="pgw-pre" tabindex="0">{}</pre>', text)


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def _orders(computation: Computation) -> dict[str, Any]:
    """The newest orders with the names of their accounts, which they hold only as numbers."""
    found = list(ExplanationJob.objects.filter(computation=computation)[: _MOST_ORDERS + 1])
    names = dict(Account.objects.filter(pk__in={job.account_id for job in found}).values_list("pk", "name"))
    orders = [
        {
            "job": job,
            "account": names.get(job.account_id)
            or ("anonymous" if job.account_id == NO_ACCOUNT else f"account {job.account_id}"),
            "is_known": job.account_id in names,
        }
        for job in found[:_MOST_ORDERS]
    ]
    return {"orders": orders, "most_orders": _MOST_ORDERS if len(found) > _MOST_ORDERS else None}
