"""The bodies and queries of the routes of keys, and what is said when they are wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from django.utils import timezone
from rest_framework import serializers

from accounts.actions import OVERLAPS
from accounts.bodies import ExactCharField, StrictBody
from accounts.networks import MOST_NETWORKS, MalformedNetwork, check_networks
from accounts.roles import SCOPES
from events.kinds import Moment

# Postgres and Python disagree about years of five digits, which an offset can reach from this one.
_LAST_YEAR = 9998
_LONGEST_ID = 100


class FutureField(serializers.Field[datetime, Any, str, Any]):
    """An RFC 3339 time with an offset, later than now."""

    default_error_messages = {
        "invalid": "Not a time: use RFC 3339 with an offset, as in 2030-03-01T00:00:00Z.",
        "past": "Must be in the future.",
    }

    def to_internal_value(self, data: Any) -> datetime:
        """The time in UTC."""
        if not isinstance(data, str):
            self.fail("invalid")
        try:
            moment = msgspec.convert(data, Moment)
            if moment.year > _LAST_YEAR:
                self.fail("invalid")
            moment = moment.astimezone(UTC)
        except (msgspec.ValidationError, OverflowError):
            self.fail("invalid")
        if moment <= timezone.now():
            self.fail("past")
        return moment

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


class OneOfField(ExactCharField):
    """One of a few words; DRF's own choice repeats whatever was sent, however long."""

    def __init__(self, words: list[str], *, required: bool = True) -> None:
        super().__init__(required=required)
        self.words = words

    def to_internal_value(self, data: Any) -> str:
        """The word."""
        if data not in self.words:
            raise serializers.ValidationError(f"Must be one of: {', '.join(self.words)}.", code="invalid")
        return super().to_internal_value(data)


class NameField(ExactCharField):
    """A name for people to read: one line, up to 100 characters, may be empty."""

    def __init__(self) -> None:
        super().__init__(max_length=100, required=False, allow_blank=True)

    def to_internal_value(self, data: Any) -> str:
        """The name."""
        name = super().to_internal_value(data)
        if not name.isprintable():
            raise serializers.ValidationError("Must be one line of printable characters.", code="invalid")
        return name


class _ShortList(serializers.ListField):
    """A list that is counted before its entries are looked at: each of them may get an error of its own."""

    most = 0

    def to_internal_value(self, data: Any) -> list[Any]:
        """The checked entries."""
        if isinstance(data, list) and len(data) > self.most:
            raise serializers.ValidationError(f"Send {self.most} entries at most.", code="max_length")
        checked: list[Any] = super().to_internal_value(data)
        return checked


class ScopesField(_ShortList):
    """At least one scope; duplicates are folded."""

    child = OneOfField(sorted(SCOPES))
    most = len(SCOPES)

    def __init__(self) -> None:
        super().__init__(required=False, allow_empty=False)

    def to_internal_value(self, data: Any) -> list[str]:
        """The scopes, sorted."""
        return sorted(set(super().to_internal_value(data)))


class NetworksField(_ShortList):
    """Networks in CIDR form; none means from everywhere."""

    child = ExactCharField(max_length=50)
    most = MOST_NETWORKS

    def __init__(self) -> None:
        super().__init__(required=False)

    def to_internal_value(self, data: Any) -> list[str]:
        """The networks in their normal form."""
        try:
            return check_networks(super().to_internal_value(data))
        except MalformedNetwork as error:
            raise serializers.ValidationError(f"{error}.", code="invalid") from None


class RegisterBody(StrictBody):
    """What the new key is to be; everything has a default."""

    name = NameField()
    scopes = ScopesField()
    networks = NetworksField()
    expires_at = FutureField(required=False, allow_null=True)
    environment = OneOfField(["live", "test"], required=False)


class ChangeBody(StrictBody):
    """What is to change."""

    name = NameField()
    scopes = ScopesField()
    networks = NetworksField()
    expires_at = FutureField(required=False, allow_null=True)


class RotateBody(StrictBody):
    """Which key, and how long the old one lives on."""

    key = ExactCharField(max_length=_LONGEST_ID, required=False)
    overlap = OneOfField(list(OVERLAPS), required=False)


class EmptyBody(StrictBody):
    """No field: what is meant must not stand where nobody looks for it."""


class RevokeQuery(StrictBody):
    """Which key."""

    key = ExactCharField(max_length=_LONGEST_ID, required=False)


class KeysQuery(StrictBody):
    """Page size and place of a list of keys."""

    limit = serializers.IntegerField(min_value=1, max_value=100, default=50)
    cursor = ExactCharField(max_length=_LONGEST_ID, required=False)


class ProfileQuery(StrictBody):
    """How many days of usage."""

    days = serializers.IntegerField(min_value=1, max_value=90, default=7)
