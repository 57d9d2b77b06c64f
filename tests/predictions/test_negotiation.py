"""Whatever a client accepts, it gets what DRF's own negotiation gives it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request

from predictions.negotiation import UsualNegotiation
from predictions.rendering import JSONRenderer

HEADERS = [
    None,
    "",
    "*/*",
    "application/json",
    "application/*",
    "application/json; indent=8",
    "application/json, */*;q=0.1",
    "text/html",
    "text/html, application/json",
    " */*",
    "nonsense",
]


def choose(negotiation: BaseContentNegotiation, accept: str | None, kinds: list[type[Any]]) -> Any:
    """Class of the renderer and media type; None for a refusal."""
    sent = {} if accept is None else {"Accept": accept}
    request = Request(RequestFactory().get("/", headers=sent))
    try:
        renderer, media_type = negotiation.select_renderer(request, [kind() for kind in kinds])
    except NotAcceptable:
        return None
    return type(renderer), media_type


@pytest.mark.parametrize("accept", HEADERS)
@pytest.mark.parametrize(
    "kinds", [[JSONRenderer], [BrowsableAPIRenderer], [JSONRenderer, BrowsableAPIRenderer]]
)
def test_the_choice_is_that_of_drf(accept: str | None, kinds: list[type[Any]]) -> None:
    assert choose(UsualNegotiation(), accept, kinds) == choose(DefaultContentNegotiation(), accept, kinds)
