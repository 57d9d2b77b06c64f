"""The body and the query of the explanation routes: what they may be."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.bodies import StrictBody
from events.explanations import DEPTHS

# DRF's own words repeat whatever was sent, however long.
_MESSAGES: Any = {"invalid_choice": f"Must be one of: {', '.join(DEPTHS)}."}


class OrderBody(StrictBody):
    """``POST /api/explanation/{symbol}``."""

    depth = serializers.ChoiceField(choices=DEPTHS, error_messages=_MESSAGES)


class DepthQuery(StrictBody):
    """``GET /api/explanation/{symbol}``: of any depth, unless one is named."""

    depth = serializers.ChoiceField(choices=DEPTHS, required=False, error_messages=_MESSAGES)
