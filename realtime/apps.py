"""Registers the app and its command `nats_bridge`."""

from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    """Sockets and the bridge."""

    name = "realtime"
