"""People and their roles. Admins make staff and give roles; nobody lifts themselves or above themselves."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin.audited import Audited
from accounts.admin.look import AdminPasswordChangeForm, UserCreationForm, display
from accounts.models import User

# Roles stand in the place of groups and single permissions.
admin.site.unregister(Group)

_OF_ONESELF = ("role", "account", "is_staff", "is_active", "is_superuser")


class NewUserForm(UserCreationForm[User]):
    """A user name, a role and a password."""

    class Meta:
        model = User
        fields = ("username",)


class UserForm(forms.ModelForm[User]):
    """All but the password, which has its own page."""

    class Meta:
        model = User
        fields = ("username",)


@admin.register(User)
class UserAdmin(Audited[User], DjangoUserAdmin[User]):
    """Django's user admin on our rights and looks, without groups."""

    add_role = change_role = delete_role = "admin"
    audit_kind = "user"
    audit_fields = (
        "username",
        "first_name",
        "last_name",
        "email",
        "role",
        "account",
        "is_staff",
        "is_active",
        "is_superuser",
    )
    form = UserForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "told_role", "is_staff", "is_active", "account", "last_login")
    list_filter = ("role", "is_staff", "is_active")
    list_select_related = ("account",)
    search_fields = ("username", "email", "first_name", "last_name", "account__name")
    autocomplete_fields = ("account",)
    filter_horizontal = ()
    ordering = ("username",)
    readonly_fields = ("password_link", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password_link", "first_name", "last_name", "email")}),
        ("Rights", {"fields": ("role", "account", "is_staff", "is_active", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "role", "account", "is_staff", "password1", "password2")}),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers are changed by superusers only: whoever sets their password can be them."""
        return super().has_change_permission(request, obj) and _reaches(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for changes."""
        return super().has_delete_permission(request, obj) and _reaches(request, obj)

    def why_not_deleted(self, request: HttpRequest, obj: User) -> str | None:
        """Nobody deletes themselves, or a superuser without being one."""
        if obj.pk == request.user.pk:
            return "You cannot delete yourself."
        return None if _reaches(request, obj) else f"“{obj}” is a superuser; only superusers delete them."

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Nobody's rights are in their own hands, and only superusers make superusers."""
        fixed = ("password_link", "last_login", "date_joined")
        if obj is not None and obj.pk == request.user.pk:
            return (*fixed, *_OF_ONESELF)
        return fixed if _is_superuser(request) else (*fixed, "is_superuser")

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """The logins of a person go with them, although nobody deletes logins by themselves."""
        shown, count, lacking, reasons = super().get_deleted_objects(objs, request)
        return shown, count, lacking - {"login"}, reasons

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 - Django's name
        """Django's page; a new password leaves its event, without a trace of what it is."""
        with transaction.atomic():
            before = self._password(id)
            response = super().user_change_password(request, id, form_url)
            user = self.get_object(request, id)
            if user is not None and user.password != before:
                self.note(request, "password", user)
        return response

    @display(description="role", label={"admin": "danger", "operator": "warning", "viewer": "info"})
    def told_role(self, user: User) -> str:
        """The role that counts."""
        return user.effective_role

    @display(description="password")
    def password_link(self, user: User) -> SafeString:
        """Where it is set; nothing of it is shown."""
        return format_html(
            '<a class="pgw-link" href="{}">{}</a>',
            reverse("admin:auth_user_password_change", args=[user.pk]),
            "Set a new password",
        )

    def _password(self, user_id: str) -> str | None:
        if not (user_id.isascii() and user_id.isdecimal()):
            return None
        return User.objects.filter(pk=user_id).values_list("password", flat=True).first()


def _is_superuser(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_superuser


def _reaches(request: HttpRequest, obj: Any) -> bool:
    return not (isinstance(obj, User) and obj.is_superuser) or _is_superuser(request)
