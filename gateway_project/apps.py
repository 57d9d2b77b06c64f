"""Lets Django find the commands `up` and `serve`."""

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """The composition of the gateway."""

    name = "gateway_project"
    verbose_name = "Prediction Gateway"
