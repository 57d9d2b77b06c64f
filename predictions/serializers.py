"""The query parameters of the prediction routes: what they may be, and what is said when they are not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from rest_framework import serializers

from events.prediction_updated import MAX_SYMBOL_LENGTH, parse_market_time
from predictions import accuracy, cursors, horizons


class MomentField(serializers.Field[datetime, str, str, Any]):
    """An RFC 3339 time with an offset, or a bare date, which means its midnight UTC."""

    default_error_messages = {
        "invalid": "Not a time: use RFC 3339 as in 2013-03-01T00:00:00Z, or a date as in 2013-03-01."
    }

    def to_internal_value(self, data: str) -> datetime:
        try:
            # A query string turns the plus sign of an offset into a space.
            return parse_market_time(data.replace(" ", "+"))
        except (ValueError, OverflowError):
            self.fail("invalid")

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


class CursorField(serializers.Field[tuple[datetime, int], str, str, Any]):
    """The ``next`` of an earlier answer."""

    def to_internal_value(self, data: str) -> tuple[datetime, int]:
        try:
            return cursors.decode(data)
        except cursors.MalformedCursor as error:
            raise serializers.ValidationError(f"{error}.", code="invalid") from None

    def to_representation(self, value: tuple[datetime, int]) -> str:
        return cursors.encode(*value)


class WindowField(serializers.Field[timedelta | None, str, str, Any]):
    """A length of time as in ``30d``, or ``all``, which is None."""

    default_error_messages = {
        "invalid": (
            f"Not a window: use a length of time from {accuracy.SHORTEST_WINDOW.days}d to"
            f" {accuracy.LONGEST_WINDOW.days}d, as in 30d, 12w or P90D, or all."
        )
    }

    def to_internal_value(self, data: str) -> timedelta | None:
        if data == accuracy.ALL:
            return None
        length = horizons.read_length(data)
        if length is None or length < accuracy.SHORTEST_WINDOW:
            self.fail("invalid")
        return length

    def to_representation(self, value: timedelta | None) -> str:
        return accuracy.ALL if value is None else f"{value.total_seconds():.6f}s"


class FlagField(serializers.Field[bool, str, str, Any]):
    """``true`` or ``false``. What else was sent is not repeated: no answer has to hold it."""

    default_error_messages = {"invalid_choice": "Must be one of: true, false."}

    def to_internal_value(self, data: str) -> bool:
        if data not in ("true", "false"):
            self.fail("invalid_choice")
        return data == "true"

    def to_representation(self, value: bool) -> str:
        return str(value).lower()


class AccuracyQuery(serializers.Serializer[Any]):
    """``window``: how far back from the newest market time."""

    window = WindowField(default=accuracy.DEFAULT_WINDOW)


class FeaturesQuery(serializers.Serializer[Any]):
    """``include_features``: whether the model's inputs are part of the answer."""

    include_features = FlagField(default=False)


class NewestQuery(FeaturesQuery):
    """``as_of``: the moment whose newest prediction is asked for, instead of now."""

    as_of = MomentField(required=False)


class SymbolsQuery(serializers.Serializer[Any]):
    """The size of a page, and the symbol that it comes after."""

    limit = serializers.IntegerField(min_value=1, max_value=1000, default=100)
    after = serializers.CharField(required=False, max_length=MAX_SYMBOL_LENGTH)


class HistoryQuery(FeaturesQuery):
    """Range, page size and place of a history call, and whether outcomes are part of it."""

    include_outcome = FlagField(default=False)
    limit = serializers.IntegerField(min_value=1, max_value=1000, default=100)
    cursor = CursorField(required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # `from` is a keyword of Python, so these two cannot be class attributes.
        ends: dict[str, serializers.Field[Any, Any, Any, Any]] = {
            "from": MomentField(required=False),
            "to": MomentField(required=False),
        }
        return {**super().get_fields(), **ends}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The range must not be turned around."""
        if "from" in attrs and "to" in attrs and attrs["from"] > attrs["to"]:
            raise serializers.ValidationError({"from": "Must not be later than `to`."})
        return attrs
