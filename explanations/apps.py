"""Registers the app and its command `explain_worker`."""

from django.apps import AppConfig


class ExplanationsConfig(AppConfig):
    """Jobs, their results, and the worker."""

    name = "explanations"
