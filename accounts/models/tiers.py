"""Levels of service and the limits that make them."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

LONGEST_WINDOW_S = 31 * 86_400
DEFAULT_FRAMES_PER_S = 10
"""Of tiers that do not say how many frames a second their WebSockets get."""

_MOST = 1_000_000_000
_MOST_FRAMES_PER_S = 1000


class Tier(models.Model):
    """A level of service. Its name is what contracts, seeds and commands use."""

    name = models.SlugField(max_length=50, unique=True)
    description = models.CharField(max_length=200, blank=True)
    when_redis_is_down = models.CharField(
        max_length=6,
        choices=[
            ("local", "local: each process counts for itself"),
            ("open", "open: let everyone through"),
            ("closed", "closed: refuse with 503"),
        ],
        default="local",
        help_text="what happens to limited calls while the counters cannot be reached",
    )
    most_connections = models.PositiveIntegerField(
        "WebSockets",
        null=True,
        blank=True,
        validators=[MaxValueValidator(_MOST)],
        help_text="WebSockets an account may have open at once, over all processes; empty: no limit",
    )
    frames_per_s = models.PositiveIntegerField(
        "frames a second",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(_MOST_FRAMES_PER_S)],
        help_text=f"frames a second a WebSocket gets at most; empty: {DEFAULT_FRAMES_PER_S}",
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(frames_per_s__isnull=True) | Q(frames_per_s__gte=1), name="tier_sends_frames"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Limit(models.Model):
    """So many calls in so much time, counted per account, key, address, route or for all together.

    A row of a tier holds for its callers; a row without a tier for everybody. A row with a route holds for
    that route alone. Of rows that share a name, the most specific one counts (tier and route, route, tier,
    none), so that a route can be given more or less than the rest.
    Without `burst` a fixed window of `quota` calls per `window_s`, which begins with the first call; with it
    a token bucket of that size, filled at `quota` per `window_s`.
    """

    tier = models.ForeignKey(Tier, on_delete=models.CASCADE, related_name="limits", null=True, blank=True)
    route = models.CharField(max_length=64, blank=True, help_text="empty: every route")
    name = models.SlugField(max_length=50)
    scope = models.CharField(
        max_length=7,
        choices=[
            ("account", "account: all its keys and people together"),
            ("key", "key: a key together with those it was rotated to"),
            ("ip", "ip: an address (IPv6: its /64)"),
            ("route", "route: all callers of a route together"),
            ("global", "global: all callers together"),
        ],
        default="account",
        help_text="who shares a counter; callers without a credential always count by address",
    )
    quota = models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(_MOST)])
    window_s = models.PositiveIntegerField(
        "window (seconds)", validators=[MinValueValidator(1), MaxValueValidator(LONGEST_WINDOW_S)]
    )
    burst = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(_MOST)],
        help_text="empty: a fixed window; a number: a token bucket of that size",
    )

    class Meta:
        ordering = ["tier", "route", "-window_s", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["tier", "route", "name"], condition=Q(tier__isnull=False), name="limit_of_a_tier_once"
            ),
            models.UniqueConstraint(
                fields=["route", "name"], condition=Q(tier__isnull=True), name="limit_for_all_once"
            ),
            models.CheckConstraint(
                condition=Q(quota__gte=1, window_s__gte=1) & (Q(burst__isnull=True) | Q(burst__gte=1)),
                name="limit_is_positive",
            ),
        ]

    def __str__(self) -> str:
        per = f"{self.quota} per {self.window_s} s"
        return f"{self.name}: {per}" + (f", burst {self.burst}" if self.burst else "")

    def values(self) -> dict[str, Any]:
        """What the audit notes of this row."""
        fields = ("name", "route", "scope", "quota", "window_s", "burst")
        return {field: getattr(self, field) for field in fields}
