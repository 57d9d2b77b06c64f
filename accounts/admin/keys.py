"""Keys in the admin: list, forms, and what is done to them through `accounts.actions`. Never a digest.

The secret of a new key is in the answer to the one request that made it, and nowhere else.
"""

from __future__ import annotations

import uuid
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import ForeignKey, QuerySet
from django.forms import ModelChoiceField, ModelForm
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from accounts import actions, keys
from accounts.actions import MOST_KEYS, NoTierForKeys, TooManyKeys
from accounts.admin import key_pages
from accounts.admin.audited import GatewayAdmin
from accounts.admin.key_columns import KeyColumns
from accounts.admin.key_forms import KeyForm
from accounts.admin.key_list import KeyList, StateFilter
from accounts.admin.look import ActionVariant, action
from accounts.admin.rights import actor_of, grantable_scopes, may
from accounts.callers import ANONYMOUS_TIER
from accounts.models import ApiKey, Tier, User

_ONE_BUTTON = {"show_save_and_add_another": False, "show_save_and_continue": False}
_CHANGEABLE = ("name", "tier", "scopes", "networks", "expires_at")


@admin.register(ApiKey)
class KeyAdmin(KeyColumns, GatewayAdmin[ApiKey]):
    """Keys are made, changed, rotated and revoked; never deleted, since the record refers to them."""

    add_role = change_role = "operator"
    audit_kind = "key"
    form = KeyForm
    list_display = (
        "public_id",
        "name",
        "account",
        "tier",
        "told_state",
        "told_use",
        "told_day",
        "expires_at",
    )
    list_filter = (StateFilter, "tier", "environment")
    list_select_related = ("account", "tier", "replaced_by")
    search_fields = ("name", "account__name")
    search_help_text = "Public id in full, or a part of the name or the account"
    autocomplete_fields = ("account",)
    readonly_fields = (
        "public_id",
        "told_state",
        "told_use",
        "told_day",
        "told_replacement",
        "created_by",
        "created_at",
    )
    add_fieldsets = (
        (None, {"fields": ("account", "name", "tier", "environment", "scopes", "networks", "expires_at")}),
    )
    fieldsets = (
        (
            None,
            {"fields": ("public_id", "account", "environment", "told_state", "told_replacement")},
        ),
        ("What may be changed", {"fields": _CHANGEABLE}),
        ("Use", {"fields": ("told_use", "told_day", "created_by", "created_at")}),
    )
    radio_fields = {"environment": admin.HORIZONTAL}
    change_form_before_template = "admin/keys/form_id.html"
    actions = ("revoke_selected",)
    actions_detail = ("rotate", "revoke")
    actions_row = ("rotate", "revoke")

    def audit_id(self, obj: ApiKey) -> str:
        """The handle that the audit uses too."""
        return obj.public_id

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not of keys that may do more than who asks, nor of what has ended for good."""
        if isinstance(obj, ApiKey) and (
            obj.revoked_at is not None or not set(obj.scopes) <= grantable_scopes(request)
        ):
            return False
        return super().has_change_permission(request, obj)

    def has_rotate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for changes: who rotates a key gets to see a secret."""
        return self.has_change_permission(request, obj)

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever is on duty: a key that leaked has to end at once."""
        return may(request, "viewer")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Also the link from an account."""
        return lookup == "account__id__exact" or super().lookup_allowed(lookup, value, cast(Any, request))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The account that a link names; whatever else stands there is left out."""
        account = request.GET.get("account", "")
        is_id = account.isascii() and account.isdecimal() and len(account) <= 18
        return {"account": account} if is_id else {}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Any]:
        """The one that knows the last day."""
        return KeyList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ApiKey], search_term: str
    ) -> tuple[QuerySet[ApiKey], bool]:
        """A public id finds its key."""
        key_id = keys.key_id_of(search_term.strip())
        if key_id is not None:
            return queryset.filter(pk=key_id), False
        return super().get_search_results(request, queryset, search_term)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """Whose it is and what it is called in logs never changes."""
        fixed = tuple(map(str, self.readonly_fields))
        return fixed if obj is None else (*fixed, "account", "environment")

    def get_form(
        self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any
    ) -> type[Any]:
        """The form with the scopes that who asks may give."""
        made: Any = super().get_form(request, obj, change=change, **kwargs)
        made.grantable = grantable_scopes(request)
        return cast(type[ModelForm[ApiKey]], made)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        """No key is on the tier of callers without one."""
        if db_field.name == "tier":
            kwargs["queryset"] = Tier.objects.exclude(name=ANONYMOUS_TIER)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A form that makes one key, however often it is sent."""
        form_id = request.POST.get("form_id") or str(uuid.uuid4())
        extra_context = {**_ONE_BUTTON, **(extra_context or {}), "form_id": form_id, "title": "New key"}
        try:
            return super().add_view(request, form_url, extra_context)
        except key_pages.SentBefore:
            told = "This form was sent before and its key was made; a key is shown only once."
        except TooManyKeys:
            told = f"The account has {MOST_KEYS} usable keys; revoke some of them first."
        except NoTierForKeys:
            told = f"“{ANONYMOUS_TIER}” is the tier of callers without a key; choose another."
        self.message_user(request, told, messages.ERROR)
        return redirect("admin:accounts_apikey_changelist")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With the buttons that make sense for a key."""
        return super().change_view(request, object_id, form_url, {**_ONE_BUTTON, **(extra_context or {})})

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Issue the key, or change what is different."""
        if change:
            self._change(request, obj, form)
            return
        if not key_pages.is_first_time(request.POST.get("form_id", "")):
            raise key_pages.SentBefore
        wanted = form.cleaned_data
        issued = actions.issue_key(
            account=wanted["account"],
            tier=wanted["tier"],
            actor=actor_of(request),
            now=timezone.now(),
            name=wanted["name"],
            environment=wanted["environment"],
            scopes=wanted["scopes"],
            networks=wanted["networks"],
            expires_at=wanted["expires_at"],
            created_by=request.user if isinstance(request.user, User) else None,
        )
        vars(obj).update(vars(issued.key))
        # Until the answer to this request is written, and no longer.
        cast(Any, request).issued = issued

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The new key, shown this once."""
        return key_pages.show_once(self, request, cast(Any, request).issued, replaced=None)

    @action(description="Rotate", permissions=["rotate"], url_path="rotate", icon="autorenew")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Put a new key in the place of this one."""
        return key_pages.rotate(self, request, object_id)

    @action(
        description="Revoke",
        permissions=["revoke"],
        url_path="revoke",
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """End this key for good."""
        return key_pages.revoke(self, request, object_id)

    @admin.action(description="Revoke these keys", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponseBase | None:
        """End all that are selected."""
        return key_pages.revoke_selected(self, request, queryset)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """What can still be done to the key."""
        key = self.get_object(request, str(object_id))
        if key is None or key.revoked_at is not None:
            return []
        offered = super().get_actions_detail(request, object_id)
        if key.is_usable(timezone.now()) and self.has_rotate_permission(request, key):
            return offered
        return [one for one in offered if not one.action_name.endswith("_rotate")]

    def _change(self, request: HttpRequest, obj: ApiKey, form: Any) -> None:
        # The form has put the new values on `obj`; the audit needs the old ones.
        with transaction.atomic():
            stored = ApiKey.objects.select_for_update(of=("self",)).select_related("account", "tier")
            key = stored.get(pk=obj.pk)
            if not self.has_change_permission(request, key):
                raise PermissionDenied  # it was revoked since the page was opened
            changes = {
                field: form.cleaned_data[field]
                for field in _CHANGEABLE
                if field in form.cleaned_data and not _is_same(form.cleaned_data[field], getattr(key, field))
            }
            if changes:
                actions.change_key(key=key, actor=actor_of(request), **changes)


def _is_same(new: Any, stored: Any) -> bool:
    """Lists are sets that JSON can hold: another order is no change."""
    return sorted(new) == sorted(stored) if isinstance(new, list) else bool(new == stored)
