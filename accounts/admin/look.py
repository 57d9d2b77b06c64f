"""Unfold's classes for the admin. It ships no types: the type checker sees Django's, which they extend."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django.db.models import Model

M = TypeVar("M", bound=Model)
_F = TypeVar("_F", bound=Callable[..., Any])

if TYPE_CHECKING:
    from django.contrib import admin
    from django.contrib.admin.views.main import ChangeList
    from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm
    from django.http import HttpRequest

    FieldTextFilter: Any
    RangeDateTimeFilter: Any
    SearchResult: Any
    widgets: Any
    UserCreationForm = AdminUserCreationForm

    class AdminSite(admin.AdminSite):
        def _search_apps(self, app_list: Any, search_term: str) -> list[Any]: ...
        def _search_models(
            self, request: HttpRequest, app_list: Any, search_term: str, allowed_models: list[str]
        ) -> list[Any]: ...

    class ModelAdmin(admin.ModelAdmin[M]):
        def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]: ...

    class TabularInline(admin.TabularInline[Any, M]): ...

    def action(
        *, description: str, permissions: list[str], url_path: str, icon: str, variant: Any = None
    ) -> Callable[[_F], _F]: ...

    def display(
        *, description: str, ordering: Any = None, label: Any = None, boolean: bool | None = None
    ) -> Callable[[_F], _F]: ...

    class ActionVariant:
        DANGER: Any
        PRIMARY: Any
        DEFAULT: Any
else:
    from unfold import widgets
    from unfold.admin import ModelAdmin, TabularInline
    from unfold.contrib.filters.admin import FieldTextFilter, RangeDateTimeFilter
    from unfold.decorators import action, display
    from unfold.enums import ActionVariant
    from unfold.forms import AdminPasswordChangeForm, UserCreationForm
    from unfold.sites import UnfoldAdminSite as AdminSite
    from unfold.views import ChangeList

__all__ = [
    "ActionVariant",
    "AdminPasswordChangeForm",
    "AdminSite",
    "ChangeList",
    "FieldTextFilter",
    "M",
    "ModelAdmin",
    "RangeDateTimeFilter",
    "TabularInline",
    "UserCreationForm",
    "action",
    "display",
    "widgets",
]
