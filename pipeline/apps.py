"""Registers the pipeline with Django, which is how its management command is found."""

from __future__ import annotations

from django.apps import AppConfig


class PipelineConfig(AppConfig):
    """The reference pipeline has no models and no views, only the command `replay_market`."""

    name = "pipeline"
