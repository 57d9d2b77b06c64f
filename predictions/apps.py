"""Registers the app."""

from django.apps import AppConfig


class PredictionsConfig(AppConfig):
    """Predictions of prices."""

    name = "predictions"
    default_auto_field = "django.db.models.BigAutoField"
