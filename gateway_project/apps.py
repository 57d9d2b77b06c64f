"""Lets Django find the commands `up` and `serve`, and notices when the database is back."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created

from gateway_project.database import database_outage


class GatewayConfig(AppConfig):
    """The composition of the gateway."""

    name = "gateway_project"
    verbose_name = "Prediction Gateway"

    def ready(self) -> None:
        connection_created.connect(_on_connection)


def _on_connection(**_: Any) -> None:
    database_outage.succeeded()
