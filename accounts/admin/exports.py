"""The audit as CSV: streamed row by row, safe to open in a spreadsheet, and itself audited."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseNotAllowed, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from accounts import audit
from accounts.admin.rights import actor_of
from accounts.models import AuditEvent

_COLUMNS = ("at", "actor", "action", "kind", "subject_id", "subject", "detail", "address", "request_id")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|")


def safe_cell(text: str) -> str:
    """`text` so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA) else text


def export_events(request: HttpRequest, model_admin: Any) -> HttpResponseBase:
    """Answer a POST with the events that the list at the same query string shows."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    events = model_admin.get_changelist_instance(request).get_queryset(request)
    exported = audit.record(
        actor=actor_of(request),
        action="audit.export",
        kind="audit",
        subject_id="",
        subject="audit events",
        filters={name[:50]: value[:200] for name, value in list(request.GET.items())[:20]},
        events=events.count(),
    )
    # What is written from here on, the event of this export among it, was not counted.
    earlier = events.filter(pk__lt=exported.pk)
    response = StreamingHttpResponse(_lines(earlier), content_type="text/csv; charset=utf-8")
    name = f"audit-{timezone.now():%Y%m%dT%H%M%SZ}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _lines(events: Any) -> Iterator[str]:
    writer: Any = csv.writer(_Echo())
    yield writer.writerow(_COLUMNS)
    for event in events.iterator(chunk_size=500):
        yield writer.writerow(map(safe_cell, _cells(event)))


def _cells(event: AuditEvent) -> Iterable[str]:
    for column in _COLUMNS:
        value = getattr(event, column)
        if column == "at":
            yield value.isoformat()
        else:
            yield json.dumps(value, ensure_ascii=False) if column == "detail" else str(value)
