"""The list of keys: states, filters, and the last day of each as a line, by one query for the page."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin.charts import hours_until
from accounts.admin.look import ChangeList
from accounts.models import ApiKey, UsageHour

SOON = timedelta(days=7)
STATE_LABELS = {"active": "success", "expiring": "warning", "expired": "danger", "revoked": "danger"}


class StateFilter(admin.SimpleListFilter):
    """The states of `ApiKey.state`, and those that end soon."""

    title = parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """States."""
        return [
            ("active", "active"),
            ("expiring", "expiring: replaced, but still good"),
            ("soon", "ends within 7 days"),
            ("expired", "expired"),
            ("revoked", "revoked"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        """The keys in the state."""
        now = timezone.now()
        usable = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))
        conditions = {
            "active": usable & Q(replaced_by=None),
            "expiring": usable & Q(replaced_by__isnull=False),
            "soon": usable & Q(expires_at__lte=now + SOON),
            "expired": Q(revoked_at=None, expires_at__lte=now),
            "revoked": Q(revoked_at__isnull=False),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


class KeyList(ChangeList):
    """A page of keys with the calls of each in the last 24 hours."""

    def get_results(self, request: HttpRequest) -> None:
        """One query more, however long the page is."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        calls = calls_by_hour({key.pk for key in self.result_list})
        for key in self.result_list:
            key.calls_by_hour = calls[key.pk]


def calls_by_hour(key_ids: set[uuid.UUID]) -> dict[uuid.UUID, list[int]]:
    """For each key its calls in each of the last 24 hours, oldest first."""
    hours = hours_until(timezone.now())
    found: dict[uuid.UUID, list[int]] = {key_id: [0] * len(hours) for key_id in key_ids}
    places = {hour: place for place, hour in enumerate(hours)}
    rows = (
        UsageHour.objects.filter(key_id__in=key_ids, hour__gte=hours[0])
        .order_by()
        .values_list("key_id", "hour")
        .annotate(total=Sum("calls"))
    )
    for key_id, hour, total in rows:
        if hour in places:
            found[key_id][places[hour]] = total
    return found
