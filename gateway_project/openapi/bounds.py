"""Schemas with all that can be said of values: closed objects, formats, the bounds that types have. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]

_LONGEST = {"date-time": 35, "date": 10, "uuid": 36}
_LARGEST = 1.7976931348623157e308
_LARGEST_INT32 = 2**31 - 1
_NOT_OF_WORDS = ("minLength", "maxLength", "x-spec-enum-id")


def bounded(schema: Any) -> Any:
    """`schema` with what follows from its types, in all of its depth."""
    if not isinstance(schema, dict) or "$ref" in schema:
        return schema
    found = {name: _PARTS.get(name, _as_it_is)(part) for name, part in schema.items()}
    if "type" not in found and all(isinstance(word, str) for word in found.get("enum", [0])):
        found["type"] = "string"
    if "const" in found:
        found.setdefault("type", "string")
    complete = _BY_TYPE.get(str(found.get("type")))
    return complete(found) if complete else found


def _string(schema: Schema) -> Schema:
    if "enum" in schema or "const" in schema:
        return {name: value for name, value in schema.items() if name not in _NOT_OF_WORDS}
    if "pattern" in schema:
        # ECMAScript has no \Z; its $ is the end of the text and nothing else.
        schema["pattern"] = schema["pattern"].replace(r"\Z", "$")
    if schema.get("format") in _LONGEST:
        schema.setdefault("maxLength", _LONGEST[schema["format"]])
    return schema


def _integer(schema: Schema) -> Schema:
    is_short = schema.get("maximum", _LARGEST) <= _LARGEST_INT32
    schema.setdefault("format", "int32" if is_short else "int64")
    return schema


def _number(schema: Schema) -> Schema:
    schema.setdefault("format", "double")
    if "exclusiveMinimum" not in schema:
        schema.setdefault("minimum", -_LARGEST)
    schema.setdefault("maximum", _LARGEST)
    return schema


def _object(schema: Schema) -> Schema:
    schema.setdefault("additionalProperties", False)
    return schema


def _as_it_is(part: Any) -> Any:
    return part


def _each(schemas: list[Any]) -> list[Any]:
    return [bounded(one) for one in schemas]


def _named(schemas: Schema) -> Schema:
    return {name: bounded(one) for name, one in schemas.items()}


def _name(schema: Schema) -> Schema:
    return _string({"type": "string", **schema})


_PARTS: dict[str, Callable[[Any], Any]] = {
    "properties": _named,
    "anyOf": _each,
    "oneOf": _each,
    "allOf": _each,
    "items": bounded,
    "additionalProperties": bounded,
    "propertyNames": _name,
    "description": inspect.cleandoc,
}

_BY_TYPE: dict[str, Callable[[Schema], Schema]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "object": _object,
}
