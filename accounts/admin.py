"""What staff see of accounts, tiers and keys. A key's digest is never shown."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from accounts.models import Account, ApiKey, Tier, User

admin.site.site_header = admin.site.site_title = "Prediction Gateway"
admin.site.index_title = "Administration"
admin.site.register(User, UserAdmin)


@admin.register(Tier)
class TierAdmin(admin.ModelAdmin[Tier]):
    """Levels of service."""

    list_display = ["name", "description"]


@admin.register(Account)
class AccountAdmin(admin.ModelAdmin[Account]):
    """Customers, teams and programs."""

    list_display = ["name", "is_active", "created_at"]
    list_filter = ["is_active"]
    search_fields = ["name"]


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin[ApiKey]):
    """Keys; new ones come from `manage.py create_key`, since a form here could not show the secret."""

    list_display = [
        "public_id",
        "name",
        "account",
        "tier",
        "created_at",
        "expires_at",
        "revoked_at",
    ]
    list_filter = ["tier", "environment"]
    list_select_related = ["account", "tier"]
    search_fields = ["name", "account__name"]
    readonly_fields = ["public_id", "account", "environment", "created_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
