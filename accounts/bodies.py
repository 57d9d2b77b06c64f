"""What a body or a query may be, for every route of people and keys: strict, and told with a pointer.

A number is no string, and a field that nobody reads is a mistake of the caller's.
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

    def __init__(
        self, *, max_length: int = _LONGEST_TEXT, required: bool = True, allow_blank: bool = False
    ) -> None:
        super().__init__(
            max_length=max_length, required=required, allow_blank=allow_blank, trim_whitespace=False
        )

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
    """A JSON object, or the parameters of a query, with these fields and no others."""

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


def read_query(request: Request, kind: type[StrictBody]) -> dict[str, Any]:
    """The checked query of `request`; raises DRF's `ValidationError`, also for what is there twice."""
    repeated = [name for name, values in request.query_params.lists() if len(values) > 1]
    if repeated:
        shown = repeated[:_MOST_UNKNOWN_SHOWN]
        raise ValidationError({name[:100]: ["Send it once."] for name in shown}, code="repeated")
    query = kind(data=dict(request.query_params.items()))
    query.is_valid(raise_exception=True)
    checked: dict[str, Any] = query.validated_data
    return checked
