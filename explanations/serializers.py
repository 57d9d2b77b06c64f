"""The body and the query of the explanation routes: what they may be."""

from __future__ import annotations

from rest_framework import serializers

from accounts.bodies import StrictBody
from events.explanations import DEPTHS


class OrderBody(StrictBody):
    """``POST /api/explanation/{symbol}``."""

    depth = serializers.ChoiceField(choices=DEPTHS)


class DepthQuery(StrictBody):
    """``GET /api/explanation/{symbol}``: of any depth, unless one is named."""

    depth = serializers.ChoiceField(choices=DEPTHS, required=False)
