"""What the list and the page of a key tell of it beside its own fields. Never the digest."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin.charts import sparkline
from accounts.admin.key_list import STATE_LABELS, calls_by_hour
from accounts.admin.look import display
from accounts.models import ApiKey


class KeyColumns:
    """Goes before Django's class."""

    @display(description="state", label=STATE_LABELS)
    def told_state(self, key: ApiKey) -> str:
        """See `ApiKey.state`."""
        return key.state(timezone.now())

    @display(description="last used", ordering="last_used_at")
    def told_use(self, key: ApiKey) -> SafeString:
        """When, and from where."""
        if key.last_used_at is None:
            return format_html('<span class="pgw-quiet">{}</span>', "never")
        return format_html(
            '<span class="pgw-nowrap">{}</span><br><span class="pgw-quiet" title="{}">{}</span>',
            _minute(key.last_used_at),
            key.last_used_agent,
            key.last_used_address,
        )

    @display(description="last 24 h")
    def told_day(self, key: Any) -> SafeString:
        """A line of its calls."""
        calls = getattr(key, "calls_by_hour", None)
        if calls is None:
            calls = calls_by_hour({key.pk})[key.pk]
        return sparkline(calls)

    @display(description="rotation")
    def told_replacement(self, key: Any) -> SafeString:
        """The keys before and after it."""
        links = [
            format_html(
                '{} <a class="pgw-link" href="{}">{}</a>',
                told,
                reverse("admin:accounts_apikey_change", args=[other.pk]),
                other.public_id,
            )
            for told, other in (
                ("replaces", key.replaces),
                ("replaced by", getattr(key, "replaced_by", None)),
            )
            if other is not None
        ]
        return format_html("{}", links[0]) if len(links) == 1 else _joined(links)


def _joined(links: list[SafeString]) -> SafeString:
    return (
        format_html("{}, {}", *links) if links else format_html('<span class="pgw-quiet">{}</span>', "none")
    )


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
