"""Registers the app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Accounts, tiers and keys."""

    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
