"""The numbers of the first page, for whoever is on duty: seven queries, however much there is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from accounts.admin.charts import Hour, hourly_chart, hours_until, tell
from accounts.admin.key_list import SOON
from accounts.models import Account, ApiKey, AuthenticationFailure, UsageHour
from accounts.models.records import NO_ACCOUNT

_SHOWN = 8


def add_numbers(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's callback: the context of the first page with its numbers."""
    now = timezone.now()
    hours = _hours(now)
    failures = _failures(now)
    counted = _keys(now)
    context.update(
        cards=_cards(hours, failures, counted),
        hours=hours,
        chart=hourly_chart(hours),
        chart_text=tell(hours),
        chart_ends=[hours[place].start for place in (0, 6, 12, 18)],
        failures=failures,
        ending=list(_ending(now).select_related("account").order_by("expires_at")[:_SHOWN]),
        ending_count=counted["soon"],
        busiest=_busiest(now),
        now=now,
    )
    return context


def _cards(hours: Sequence[Hour], failures: Sequence[Any], counted: dict[str, int]) -> list[dict[str, Any]]:
    this, before = hours[-1], hours[-2]
    since = f"since {this.start:%H:%M} UTC"
    keys_address = reverse("admin:accounts_apikey_changelist")
    usage_address = f"{reverse('admin:accounts_usagehour_changelist')}?days=1"
    refused = sum(row["total"] for row in failures)
    return [
        _card("Active keys", counted["active"], f"of {counted['all']:,}", f"{keys_address}?state=active"),
        _card("Calls this hour", this.calls, f"{since}; {before.calls:,} in the hour before", usage_address),
        _card("Throttled", this.throttled, since, usage_address, "warning"),
        _card("Server errors", this.errors, since, f"{usage_address}&status_class__exact=5", "danger"),
        _card(
            "Refused credentials",
            refused,
            "in the last 60 minutes",
            reverse("admin:accounts_authenticationfailure_changelist"),
            "warning",
        ),
        _card(
            "Keys that end soon", counted["soon"], "within 7 days", f"{keys_address}?state=soon", "warning"
        ),
    ]


def _card(title: str, number: int, note: str, address: str, alarm: str = "") -> dict[str, Any]:
    return {
        "title": title,
        "number": f"{number:,}",
        "note": note,
        "address": address,
        "alarm": alarm if number else "",
    }


def _keys(now: datetime) -> dict[str, int]:
    usable = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))
    return ApiKey.objects.aggregate(
        all=Count("pk"),
        active=Count("pk", filter=usable & Q(replaced_by=None)),
        soon=Count("pk", filter=usable & Q(expires_at__lte=now + SOON)),
    )


def _ending(now: datetime) -> Any:
    return ApiKey.objects.filter(revoked_at=None, expires_at__gt=now, expires_at__lte=now + SOON)


def _hours(now: datetime) -> list[Hour]:
    starts = hours_until(now)
    rows = (
        UsageHour.objects.filter(hour__gte=starts[0])
        .order_by()
        .values("hour")
        .annotate(sum_calls=Sum("calls"), sum_throttled=Sum("throttled"), sum_errors=Sum("errors"))
    )
    found = {
        row["hour"]: Hour(row["hour"], row["sum_calls"], row["sum_throttled"], row["sum_errors"])
        for row in rows
    }
    return [found.get(start, Hour(start)) for start in starts]


def _failures(now: datetime) -> list[Any]:
    rows = AuthenticationFailure.objects.filter(minute__gte=now - timedelta(hours=1)).order_by()
    return list(rows.values("reason").annotate(total=Sum("count")).order_by("-total"))


def _busiest(now: datetime) -> list[dict[str, Any]]:
    rows = list(
        UsageHour.objects.filter(hour__gte=now - timedelta(hours=24))
        .order_by()
        .values("account_id")
        .annotate(total=Sum("calls"), refused=Sum("throttled"))
        .order_by("-total")[:_SHOWN]
    )
    names = dict(Account.objects.filter(pk__in=[row["account_id"] for row in rows]).values_list("pk", "name"))
    return [
        {
            "name": "anonymous callers"
            if row["account_id"] == NO_ACCOUNT
            else names.get(row["account_id"], f"account {row['account_id']}, deleted"),
            "address": reverse("admin:accounts_account_change", args=[row["account_id"]])
            if row["account_id"] in names
            else "",
            "calls": f"{row['total']:,}",
            "throttled": f"{row['refused']:,}",
        }
        for row in rows
    ]
