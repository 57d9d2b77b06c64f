"""The operations that are no views of DRF: probes, version, metrics, and the documents of the contract."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from accounts.schema_parts import ANY_HEADER, UNCHANGED
from events.kinds import Moment, NotNegative, one_of
from gateway_project.openapi import errors

Schema = dict[str, Any]

_Word = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[\w.-]*$")]
_Told = Annotated[str, msgspec.Meta(max_length=500, pattern=r"^[^\x00]*$")]


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the gateway relies on. `critical`: without it this process has nothing to give."""

    status: Annotated[str, one_of("up", "down")]
    critical: bool
    latency_ms: NotNegative | None
    version: _Told | None
    last_success: Moment | None
    detail: _Told


class HealthReport(msgspec.Struct, frozen=True, kw_only=True):
    """How the process stands, and each of its dependencies."""

    status: Annotated[str, one_of("healthy", "degraded", "unhealthy")]
    name: _Word
    version: _Word
    commit: _Word
    role: Annotated[str, one_of("all", "web", "ws")]
    uptime_s: NotNegative
    dependencies: Annotated[dict[_Word, Dependency], msgspec.Meta(max_length=20)]


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Annotated[str, msgspec.Meta(extra_json_schema={"const": "alive", "maxLength": 5})]


class Ready(msgspec.Struct, frozen=True):
    """The process has all that its role needs."""

    status: Annotated[str, msgspec.Meta(extra_json_schema={"const": "ready", "maxLength": 5})]


class Version(msgspec.Struct, frozen=True):
    """Which build this is."""

    name: _Word
    version: _Word
    commit: _Word


STRUCTS = (HealthReport, Alive, Ready, Version, Dependency)

_STAFF, _CONTRACT = "Operations", "Contract"
_FREE_OF_LIMITS = (
    "The gateway itself does not limit this call; a proxy in front of it may, and then says so like this."
)


def _content(schema: Schema, media_type: str = "application/json") -> Schema:
    return {media_type: {"schema": schema}}


def _of(struct: type[msgspec.Struct], description: str) -> Schema:
    ref = {"$ref": f"#/components/schemas/{struct.__name__}"}
    return {"description": description, "headers": {}, "content": _content(ref)}


def _probe(operation_id: str, summary: str, description: str, responses: Schema) -> Schema:
    return {
        "operationId": operation_id,
        "tags": [_STAFF],
        "summary": summary,
        "description": description,
        "responses": responses,
    }


def _document(operation_id: str, what: str, version_field: str) -> Schema:
    schema = {
        "type": "object",
        "required": [version_field, "info"],
        "properties": {
            version_field: {"type": "string", "maxLength": 16, "pattern": r"^3\.[0-9]+\.[0-9]+$"},
            "info": {"type": "object", "maxProperties": 20, "additionalProperties": {}},
        },
        "maxProperties": 30,
        "additionalProperties": {},
    }
    return {
        "operationId": operation_id,
        "tags": [_CONTRACT],
        "summary": f"Read {what}",
        "description": "The same for everybody, and with every gateway of this version.",
        "parameters": [
            {
                "name": "If-None-Match",
                "in": "header",
                "description": "The `ETag` of an earlier answer.",
                "schema": ANY_HEADER,
            }
        ],
        "responses": {
            "200": {"description": "The document.", "headers": {}, "content": _content(schema)},
            "304": {"description": UNCHANGED.description, "headers": {}},
        },
    }


_NOT_READY = errors.responses(["NOT_READY"])

OPERATIONS: dict[str, Schema] = {
    "/health": _probe(
        "getHealth",
        "See how the process and each dependency stand",
        "503 while something is away that this role cannot do without.",
        {
            "200": _of(HealthReport, "Healthy, or degraded: something is away that can be done without."),
            "503": _of(HealthReport, "Unhealthy."),
        },
    ),
    "/health/live": _probe(
        "getLiveness",
        "See whether the process is alive",
        "Touches nothing. Aliases: `/health/liveness`, `/liveness`.",
        {"200": _of(Alive, "It is.")},
    ),
    "/health/ready": _probe(
        "getReadiness",
        "See whether the process may get traffic",
        "Aliases: `/health/readiness`, `/readiness`.",
        {"200": _of(Ready, "It may."), **_NOT_READY},
    ),
    "/health/db": _probe(
        "getDatabaseHealth",
        "See how the database stands",
        "As in `/health`, for itself.",
        {"200": _of(Dependency, "It answers."), "503": _of(Dependency, "It does not.")},
    ),
    "/health/cache": _probe(
        "getCacheHealth",
        "See how Redis stands",
        "As in `/health`, for itself.",
        {"200": _of(Dependency, "It answers."), "503": _of(Dependency, "It does not.")},
    ),
    "/version": _probe(
        "getVersion",
        "See which version this is",
        "The version of the build and its commit, where that was told when it was built.",
        {"200": _of(Version, "The version.")},
    ),
    "/metrics": _probe(
        "getMetrics",
        "Read the metrics, as Prometheus does",
        "Without a credential from the networks of `METRICS_NETWORKS`.",
        {
            "200": {
                "description": "Every metric of all processes, as text.",
                "headers": {},
                "content": _content(
                    {"type": "string", "maxLength": 100_000_000, "pattern": r"^[^\x00]*$"}, "text/plain"
                ),
            }
        },
    ),
    "/api/openapi.json": _document("getOpenApi", "this document", "openapi"),
    "/api/asyncapi.json": _document("getAsyncApi", "the contract of the WebSocket, as AsyncAPI", "asyncapi"),
}
"""By path; all of them are GET."""


def without_limit() -> Schema:
    """The 429 of an operation that the gateway does not limit."""
    return {**errors.responses(["RATE_LIMIT_EXCEEDED"])["429"], "description": _FREE_OF_LIMITS}
