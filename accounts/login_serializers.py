"""The bodies of login, refresh and logout: what they may be, and a 422 that says what is wrong with them.

Strict: a number is no string, and a field that nobody reads is a mistake of the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers, status
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.request import Request

_LONGEST_TEXT = 4096
_MOST_UNKNOWN_SHOWN = 10


class InvalidBody(ValidationError):
    """422: the body is JSON, but not what the route takes."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "invalid_body"


class ExactCharField(serializers.CharField):
    """A string and nothing else, kept to the last space; DRF's own takes numbers too."""

    def __init__(self, *, max_length: int = _LONGEST_TEXT, required: bool = True) -> None:
        super().__init__(max_length=max_length, required=required, trim_whitespace=False)

    def to_internal_value(self, data: Any) -> str:
        """The string itself."""
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class ExactBooleanField(serializers.BooleanField):
    """true or false; DRF's own takes "yes" and 1 too."""

    def to_internal_value(self, data: Any) -> bool:
        """The boolean itself."""
        if not isinstance(data, bool):
            self.fail("invalid", input=type(data).__name__)
        return data


class StrictBody(serializers.Serializer[Any]):
    """A JSON object with these fields and no others."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """The checked values; fields that are not declared are refused."""
        if isinstance(data, Mapping):
            unknown = sorted(data.keys() - self.fields.keys())
            if unknown:
                shown = unknown[:_MOST_UNKNOWN_SHOWN]
                raise ValidationError(
                    {name[:100]: ["There is no such field."] for name in shown}, code="unknown"
                )
        checked: dict[str, Any] = super().to_internal_value(data)
        return checked


class LoginBody(StrictBody):
    """User name and password."""

    username = ExactCharField(max_length=150)
    password = ExactCharField()


class RefreshBody(StrictBody):
    """The refresh token to exchange."""

    refresh_token = ExactCharField()


class LogoutBody(StrictBody):
    """The refresh token of the login to end, unless an access token says which; and whether to end all."""

    refresh_token = ExactCharField(required=False)
    everywhere = ExactBooleanField(default=False)


def read_body(request: Request, kind: type[StrictBody]) -> dict[str, Any]:
    """The checked body of `request`; raises `InvalidBody`, and DRF's `ParseError` for what is no JSON."""
    try:
        data = request.data
    except RecursionError:
        raise ParseError("The JSON is nested too deeply.") from None
    body = kind(data=data)
    if not body.is_valid():
        raise InvalidBody(body.errors)
    checked: dict[str, Any] = body.validated_data
    return checked
