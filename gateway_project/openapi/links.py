"""Which answer holds what another operation asks for: links of OpenAPI, by operation and status. Pure."""

from __future__ import annotations

from typing import Any

Links = dict[str, dict[str, Any]]


def _to(name: str, operation: str, parameter: str, field: str) -> Links:
    said = {"operationId": operation, "parameters": {parameter: f"$response.body#/{field}"}}
    return {name: {**said, "description": f"`{field}` is the `{parameter}`."}}


_JOB: Links = {
    **_to("Job", "getExplanationJob", "job_id", "job_id"),
    **_to("Cancel", "cancelExplanationJob", "job_id", "job_id"),
}
_KEY: Links = {
    **_to("Key", "getKey", "public_id", "id"),
    **_to("Change", "changeKey", "public_id", "id"),
    **_to("Revoke", "revokeKey", "key", "id"),
}

LINKS: dict[str, dict[str, Links]] = {
    "orderExplanation": {"202": _JOB},
    "registerKey": {"201": _KEY},
    "rotateKey": {"201": _KEY},
    "listKeys": {"200": _to("Next", "listKeys", "cursor", "next")},
    "listPredictionHistory": {"200": _to("Next", "listPredictionHistory", "cursor", "next")},
}
