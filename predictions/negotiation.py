"""Which renderer a request gets: the usual headers are not parsed, the others are DRF's."""

from __future__ import annotations

from collections.abc import Iterable

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

_JSON, _ANYTHING = "application/json", "*/*"


class UsualNegotiation(DefaultContentNegotiation):
    """DRF's, which takes a twelfth of a small request, unless JSON is taken and the view has it."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The renderer and its media type. Raises `NotAcceptable`."""
        renderers = list(renderers)
        # What nearly every client sends; none at all means anything.
        is_usual = request.META.get("HTTP_ACCEPT", _ANYTHING) in (_JSON, _ANYTHING)
        if is_usual and format_suffix is None and renderers[0].media_type == _JSON:
            return renderers[0], _JSON
        chosen: tuple[BaseRenderer, str] = super().select_renderer(request, renderers, format_suffix)
        return chosen
