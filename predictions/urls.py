"""Routes of predictions, below ``/api/``.

A symbol is whatever stands in its place, so that every malformed one (empty, with slashes, NUL or line
breaks) gets the 400 that says what a symbol looks like.
"""

from django.urls import re_path

from predictions.symbol_views import SymbolViewSet
from predictions.views import PredictionViewSet

_SYMBOL = r"(?P<symbol>[\s\S]*?)"

urlpatterns = [
    re_path(
        rf"^prediction/{_SYMBOL}/history\Z",
        PredictionViewSet.as_view({"get": "history"}),
        name="prediction-history",
    ),
    re_path(
        rf"^prediction/{_SYMBOL}/accuracy\Z",
        PredictionViewSet.as_view({"get": "accuracy"}),
        name="prediction-accuracy",
    ),
    re_path(
        rf"^prediction/{_SYMBOL}\Z",
        PredictionViewSet.as_view({"get": "retrieve"}),
        name="prediction",
    ),
    re_path(r"^predictions\Z", PredictionViewSet.as_view({"get": "list"}), name="predictions"),
    re_path(r"^symbols\Z", SymbolViewSet.as_view({"get": "list"}), name="symbols"),
]
