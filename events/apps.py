"""Registers the app, for the sake of the outbox's table."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    """Messages to and from NATS."""

    name = "events"
