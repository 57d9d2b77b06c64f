"""What staff change in forms leaves an audit event with its from and to, in the change's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from accounts import audit
from accounts.admin.look import M, ModelAdmin
from accounts.admin.rights import ByRole, actor_of

Values = dict[str, Any]


def values_of(obj: Model, fields: Iterable[str]) -> Values:
    """The values of `fields`, as JSON; a row that is referred to is told by its name."""
    return {field: _plain(getattr(obj, field)) for field in fields}


def difference(before: Values, after: Values) -> dict[str, Any]:
    """``{field: {"from", "to"}}`` of what is not the same."""
    return {
        field: {"from": before[field], "to": after[field]} for field in after if before[field] != after[field]
    }


def history_address(kind: str, subject_id: object) -> str:
    """Where the audit shows what happened to one thing."""
    query = urlencode({"kind__exact": kind, "q": str(subject_id)})
    return f"{reverse('admin:accounts_auditevent_changelist')}?{query}"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Model) else value


class GatewayAdmin(ByRole, ModelAdmin[M]):
    """What all our pages share: rights by role, and the audit as the one history."""

    compressed_fields = True
    warn_unsaved_form = True
    list_filter_submit = True
    list_fullwidth = True
    list_per_page = 50
    audit_kind: ClassVar[str] = ""

    def audit_id(self, obj: M) -> str:
        """How the audit names `obj`."""
        return str(obj.pk)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The audit's view of the row."""
        obj = self.get_object(request, object_id)
        if obj is None or not self.audit_kind:
            return redirect("admin:accounts_auditevent_changelist")
        return redirect(history_address(self.audit_kind, self.audit_id(obj)))


class Audited(GatewayAdmin[M]):
    """A form whose changes are audited as `audit_kind`; `audit_fields` are what is told of a row."""

    audit_fields: ClassVar[Sequence[str]] = ()

    def why_not_deleted(self, request: HttpRequest, obj: M) -> str | None:
        """The reason for which `obj` has to stay; None where it may go."""
        return None

    def note(self, request: HttpRequest, verb: str, obj: M, **detail: Any) -> None:
        """Append the audit event ``kind.verb``."""
        audit.record(
            actor=actor_of(request),
            action=f"{self.audit_kind}.{verb}",
            kind=self.audit_kind,
            subject_id=self.audit_id(obj),
            subject=str(obj),
            **detail,
        )

    def save_model(self, request: HttpRequest, obj: M, form: ModelForm[M], change: bool) -> None:
        """Save and note what is new or different."""
        with transaction.atomic():
            before = self._stored_values(obj) if change else {}
            super().save_model(request, obj, form, change)
            after = values_of(obj, self.audit_fields)
            if not change:
                self.note(request, "create", obj, **after)
            elif changed := difference(before, after):
                self.note(request, "change", obj, **changed)

    def delete_model(self, request: HttpRequest, obj: M) -> None:
        """Note what is gone, and delete."""
        with transaction.atomic():
            self._delete(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[M]) -> None:
        """Each for itself, so that each leaves its event; all of them or none."""
        with transaction.atomic():
            for obj in queryset:
                self._delete(request, obj)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """As Django's, with our own reasons against it."""
        reasons = [reason for obj in objs if (reason := self.why_not_deleted(request, obj))]
        if reasons:
            return [], {}, set(), reasons
        return super().get_deleted_objects(objs, request)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What has to stay is told on its own page, with the way out."""
        obj = self.get_object(request, object_id)
        reason = self.why_not_deleted(request, obj) if obj else None
        if obj is None or reason is None or not self.has_delete_permission(request, obj):
            return super().delete_view(request, object_id, extra_context)
        self.message_user(request, reason, messages.ERROR)
        opts = self.opts
        return redirect(f"admin:{opts.app_label}_{opts.model_name}_change", object_id)

    def _delete(self, request: HttpRequest, obj: M) -> None:
        # Asked again: the page may be older than what has happened since.
        if self.why_not_deleted(request, obj):
            raise PermissionDenied
        self.note(request, "delete", obj, **values_of(obj, self.audit_fields))
        obj.delete()

    def _stored_values(self, obj: M) -> Values:
        stored = self.model._base_manager.select_for_update().get(pk=obj.pk)
        return values_of(stored, self.audit_fields)
