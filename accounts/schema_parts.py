"""What the schemas of routes are made of, in every app. Only `manage.py openapi` and its tests import this.

A route's schema says what is its own: parameters, body, answers, and the codes of errors that its view can
raise. What all routes share is put there by `gateway_project.openapi`.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from drf_spectacular.drainage import set_override
from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

Schema = dict[str, Any]

CODES = "x-error-codes"
"""Of an operation: the codes of `problem_types` that its view can raise."""

_REF = "#/components/schemas/{name}"


def codes(*own: str) -> dict[str, Any]:
    """The extension of an operation that names the codes of its view."""
    return {CODES: list(own)}


def header(name: str, description: str, schema: Schema, *statuses: int, required: bool = True) -> Any:
    """A header of the answers with `statuses`."""
    return OpenApiParameter(
        name, schema, OpenApiParameter.HEADER, required=required, description=description, response=statuses
    )


def asked(name: str, description: str, schema: Schema) -> OpenApiParameter:
    """A header of the request, which may be left out."""
    return OpenApiParameter(name, schema, OpenApiParameter.HEADER, description=description)


def in_path(name: str, description: str, schema: Schema) -> OpenApiParameter:
    """A part of the path."""
    return OpenApiParameter(name, schema, OpenApiParameter.PATH, required=True, description=description)


def in_query(name: str, description: str, schema: Schema, **more: Any) -> OpenApiParameter:
    """A parameter of the query."""
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=description, **more)


def page_size(what: str, most: int, default: int) -> OpenApiParameter:
    """``limit``: the most `what` of a page."""
    bounds = {"minimum": 1, "maximum": most, "default": default}
    return in_query("limit", f"The most {what} of a page.", {"type": "integer", **bounds})


ANY_HEADER: Schema = {"type": "string", "maxLength": 60_000, "pattern": r"^[\t -~\x80-\xff]*$"}
"""Whatever fits into the head of a request: what nobody can read in it is taken for nothing."""

IF_NONE_MATCH = asked(
    "If-None-Match",
    "The `ETag` of an earlier answer: 304 while it still holds, which costs no quota.",
    ANY_HEADER,
)
UNCHANGED = OpenApiResponse(description="What the caller has, by its `If-None-Match`, still holds.")
LOCATION: Schema = {"type": "string", "format": "uri-reference", "maxLength": 200}


class CredentialExtension(OpenApiAuthenticationExtension):
    """A key or a token; which operations ask for one, the table of access says."""

    target_class = "accounts.authentication.CallerAuthentication"
    name = ["ApiKey", "Bearer"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> Any:
        """Either of them."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: AutoSchema) -> Any:
        """Both of them."""
        return [
            {
                "type": "apiKey",
                "in": "header",
                "name": "X-API-Key",
                "description": "An API key: `pgw_live_...`",
            },
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "An access token of `POST /auth/login` (checked as RFC8725 says), or a key.",
            },
        ]


class StructExtension(OpenApiSerializerExtension):
    """Answers are msgspec structs: their types, bounds and docstrings become components."""

    target_class = "msgspec.Struct"
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: Any) -> str | None:
        """The name of the struct."""
        set_override(self.target, "suppress_collision_warning", True)
        return str(self.target.__name__)

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        """Its schema; those of the structs in it are registered beside it."""
        _, found = msgspec.json.schema_components([self.target], ref_template=_REF)
        own = found.pop(self.target.__name__)
        for name, schema in found.items():
            component = ResolvedComponent(name, ResolvedComponent.SCHEMA, schema, name)
            auto_schema.registry.register_on_missing(component)
        return cast(Schema, own)


class StrictBodyExtension(OpenApiSerializerExtension):
    """A body with fields that nobody reads is refused."""

    target_class = "accounts.bodies.StrictBody"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        """As drf-spectacular has it, and closed."""
        found = cast(Schema, auto_schema._map_serializer(self.target, direction, bypass_extensions=True))
        for name, schema in found.get("properties", {}).items():
            # It puts "or nothing" beside a pattern that lets nothing through already.
            found["properties"][name] = schema.get("oneOf", [schema])[0]
        return {**found, "additionalProperties": False}


class TextExtension(OpenApiSerializerFieldExtension):
    """A string, at least one character unless it may be blank."""

    target_class = "accounts.bodies.ExactCharField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        """Its bounds."""
        return text(self.target.max_length, blank=self.target.allow_blank)


class WordExtension(OpenApiSerializerFieldExtension):
    """One of a few words."""

    target_class = "accounts.key_serializers.OneOfField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        """The words."""
        return {"type": "string", "enum": list(self.target.words)}


class NameExtension(OpenApiSerializerFieldExtension):
    """One line that people read."""

    target_class = "accounts.key_serializers.NameField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        """One line of printable characters."""
        return {"type": "string", "maxLength": self.target.max_length, "pattern": PRINTABLE}


class FutureExtension(OpenApiSerializerFieldExtension):
    """A moment later than now."""

    target_class = "accounts.key_serializers.FutureField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        """With an offset; how late is not for a schema to say."""
        return {"type": "string", "format": "date-time", "maxLength": 35}


class _ListExtension(OpenApiSerializerFieldExtension):
    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        child = self.entries(auto_schema, direction)
        bounds = {"minItems": 0 if self.target.allow_empty else 1, "maxItems": self.target.most}
        return {"type": "array", "items": child, **bounds}

    def entries(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        """The schema of each entry."""
        return cast(Schema, auto_schema._map_serializer_field(self.target.child, direction))


class ScopesExtension(_ListExtension):
    """A list of scopes."""

    target_class = "accounts.key_serializers.ScopesField"


class NetworksExtension(_ListExtension):
    """A list of networks."""

    target_class = "accounts.key_serializers.NetworksField"

    def entries(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        """In CIDR form; no expression could say that the bits of the host are 0."""
        return {"type": "string", "format": "ip-network", "minLength": 2, "maxLength": 50}


PRINTABLE = r"^[^\x00-\x1f\x7f-\xa0\xad]*$"
"""Near enough: Python, which decides, and ECMAScript's expressions do not know the same classes."""


def text(most: int | None, *, blank: bool = False, pattern: str = r"^[^\x00]*$") -> Schema:
    """A string of up to `most` characters."""
    return {"type": "string", "minLength": 0 if blank else 1, "maxLength": most, "pattern": pattern}
