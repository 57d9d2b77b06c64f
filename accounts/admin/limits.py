"""Tiers with their limits, and the limits that hold for everybody."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms import BaseInlineFormSet, ModelForm
from django.http import HttpRequest

from accounts import access, audit
from accounts.admin.audited import Audited, difference, values_of
from accounts.admin.look import TabularInline, display, widgets
from accounts.admin.rights import ByRole, actor_of
from accounts.models import Account, ApiKey, Limit, Tier

SEEDED_TIERS = frozenset({"anonymous", "free", "pro", "enterprise"})
"""What migrations, commands and contracts call by name."""

_NAME_TAKEN = "There is another limit with this name for this route."
_NAME_WAS_TAKEN = "Another limit here had this name until now: save that change first, then this one."
TIER_FIELDS = ("name", "description", "when_redis_is_down", "most_connections", "frames_per_s")
LIMIT_FIELDS = ("name", "route", "scope", "quota", "window_s", "burst")


def _count_of(model: type[Model]) -> Coalesce:
    """How many rows of `model` are on a tier; apart, since two joins at once would multiply."""
    rows = model._default_manager.filter(tier=OuterRef("pk")).order_by().values("tier")
    return Coalesce(Subquery(rows.annotate(number=Count("pk")).values("number")), 0)


def limited_routes() -> list[str]:
    """The routes whose calls cost something."""
    return sorted(
        route for route, methods in access.ROUTES.items() if any(need.cost for need in methods.values())
    )


class LimitForm(forms.ModelForm[Limit]):
    """A limit, with the routes that there are to choose from."""

    route = forms.ChoiceField(
        required=False, widget=widgets.UnfoldAdminSelectWidget, help_text="empty: every route"
    )

    class Meta:
        model = Limit
        fields = ("name", "scope", "quota", "window_s", "burst", "route")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        routes = limited_routes()
        if self.instance.route and self.instance.route not in routes:
            routes.append(self.instance.route)
        field = self.fields["route"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", "every"), *((route, route) for route in routes)]


class LimitForAllForm(LimitForm):
    """A limit without a tier: a name once for each route."""

    def clean(self) -> dict[str, Any] | None:
        """Django leaves the rule out, since its condition is on a field that the form does not have."""
        cleaned = super().clean()
        which = {field: self.cleaned_data.get(field) for field in ("name", "route")}
        if Limit.objects.filter(tier=None, **which).exclude(pk=self.instance.pk).exists():
            self.add_error("name", _NAME_TAKEN)
        return cleaned


def _initial_of(form: LimitForm) -> tuple[Any, Any]:
    return form.initial.get("name"), form.initial.get("route")


class LimitFormSet(BaseInlineFormSet[Limit, Tier, LimitForm]):
    """The limits of one tier: a name once for each route."""

    def clean(self) -> None:
        """Django checks against what is stored, not against the other rows of the page."""
        super().clean()
        stored = {form.instance.pk: _initial_of(form) for form in self.initial_forms}
        seen: set[tuple[str, str]] = set()
        for form in self.forms:
            if not form.is_valid() or self._should_delete_form(form) or not form.cleaned_data:  # type: ignore[attr-defined]
                continue
            which = (form.cleaned_data["name"], form.cleaned_data["route"])
            if which in seen:
                form.add_error("name", _NAME_TAKEN)
            elif any(
                pk != form.instance.pk and form.instance.pk and which == had for pk, had in stored.items()
            ):
                form.add_error("name", _NAME_WAS_TAKEN)
            seen.add(which)


class LimitsInline(ByRole, TabularInline[Limit]):
    """The limits on the page of their tier."""

    add_role = change_role = delete_role = "admin"
    model = Limit
    form = LimitForm
    formset = cast(Any, LimitFormSet)
    fields = ("name", "scope", "quota", "window_s", "burst", "route")
    extra = 0
    verbose_name_plural = "Limits (without any: unlimited)"


@admin.register(Tier)
class TierAdmin(Audited[Tier]):
    """Levels of service."""

    add_role = change_role = delete_role = "admin"
    audit_kind = "tier"
    audit_fields = TIER_FIELDS
    list_display = ("name", "description", "told_limits", "told_connections", "key_count", "account_count")
    search_fields = ("name", "description")
    fields = TIER_FIELDS
    inlines = (LimitsInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tier]:
        """With what uses each."""
        return (
            super()
            .get_queryset(request)
            .prefetch_related("limits")
            .annotate(keys_on_it=_count_of(ApiKey), accounts_on_it=_count_of(Account))
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Tier | None = None) -> tuple[str, ...]:
        """The name of a seeded tier stays."""
        return ("name",) if obj is not None and obj.name in SEEDED_TIERS else ()

    def has_delete_permission(self, request: HttpRequest, obj: Tier | None = None) -> bool:
        """Not the seeded ones."""
        if obj is not None and obj.name in SEEDED_TIERS:
            return False
        return super().has_delete_permission(request, obj)

    def why_not_deleted(self, request: HttpRequest, obj: Tier) -> str | None:
        """What is used, and what code calls by name, stays."""
        if obj.name in SEEDED_TIERS:
            return f"The tier “{obj}” is part of the gateway and stays."
        keys, accounts = obj.keys.count(), obj.accounts.count()
        if keys or accounts:
            return (
                f"The tier “{obj}” is used by {keys} keys and {accounts} accounts, revoked keys included; "
                "move them to another tier first."
            )
        return None

    def save_formset(self, request: HttpRequest, form: ModelForm[Tier], formset: Any, change: bool) -> None:
        """Save the limits; each leaves its event."""
        tier = form.instance
        before = {limit.pk: values_of(limit, LIMIT_FIELDS) for limit in tier.limits.all()} if change else {}
        super().save_formset(request, form, formset, change)
        after = {limit.pk: values_of(limit, LIMIT_FIELDS) for limit in Limit.objects.filter(tier=tier)}
        for pk in sorted(before.keys() | after.keys()):
            if pk not in after:
                self._note_limit(request, "delete", tier, pk, before[pk], before[pk])
            elif pk not in before:
                self._note_limit(request, "create", tier, pk, after[pk], after[pk])
            elif changed := difference(before[pk], after[pk]):
                self._note_limit(request, "change", tier, pk, after[pk], changed)

    def _note_limit(
        self, request: HttpRequest, verb: str, tier: Model, pk: int, limit: dict[str, Any], detail: Any
    ) -> None:
        audit.record(
            actor=actor_of(request),
            action=f"limit.{verb}",
            kind="limit",
            subject_id=pk,
            subject=f"{limit['name']} of {tier}",
            tier=str(tier),
            changes=detail,
        )

    def _delete(self, request: HttpRequest, obj: Tier) -> None:
        for limit in obj.limits.all():
            values = values_of(limit, LIMIT_FIELDS)
            self._note_limit(request, "delete", obj, limit.pk, values, values)
        super()._delete(request, obj)

    @display(description="limits")
    def told_limits(self, tier: Tier) -> str:
        """All of them, in a line."""
        return "; ".join(str(limit) for limit in tier.limits.all()) or "unlimited"

    @display(description="WebSockets", ordering="most_connections")
    def told_connections(self, tier: Tier) -> str:
        """How many an account may have open at once."""
        return "no limit" if tier.most_connections is None else str(tier.most_connections)

    @display(description="keys", ordering="keys_on_it")
    def key_count(self, tier: Any) -> int:
        """How many keys are on it, revoked ones included."""
        return int(tier.keys_on_it)

    @display(description="accounts", ordering="accounts_on_it")
    def account_count(self, tier: Any) -> int:
        """How many accounts are on it."""
        return int(tier.accounts_on_it)


@admin.register(Limit)
class LimitForAllAdmin(Audited[Limit]):
    """Limits without a tier: for all callers, or for those of one route."""

    add_role = change_role = delete_role = "admin"
    audit_kind = "limit"
    audit_fields = LIMIT_FIELDS
    form = LimitForAllForm
    list_display = ("name", "told_route", "scope", "quota", "window_s", "burst")
    fields = ("name", "scope", "quota", "window_s", "burst", "route")
    search_fields = ("name", "route")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Limit]:
        """Those of tiers are on the page of their tier."""
        return super().get_queryset(request).filter(tier=None)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Says what these are."""
        return super().changelist_view(request, {"title": "Limits for everybody", **(extra_context or {})})

    @display(description="route", ordering="route")
    def told_route(self, limit: Limit) -> str:
        """The route, or all of them."""
        return limit.route or "every route"
