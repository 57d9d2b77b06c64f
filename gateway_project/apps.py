"""Lets Django find the commands `up` and `serve`, and watches its connections to the database."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from gateway_project import config
from gateway_project.database import database_outage
from observability.logging import log_uncaught
from observability.slow_queries import SlowQueryLog

logger = logging.getLogger(__name__)


class GatewayConfig(AppConfig):
    """The composition of the gateway."""

    name = "gateway_project"
    verbose_name = "Prediction Gateway"

    def ready(self) -> None:
        from gateway_project import django_metrics

        sys.excepthook = log_uncaught
        for name, meant in config.find_misspelt(os.environ).items():
            logger.warning("the environment variable %s is no setting; is %s meant?", name, meant)
        django_metrics.count_models()
        connection_created.connect(_on_connection)


_slow_queries = SlowQueryLog(settings.GATEWAY.slow_query_ms)


def _on_connection(connection: BaseDatabaseWrapper, **_: Any) -> None:
    database_outage.succeeded()
    _slow_queries.watch(connection)
