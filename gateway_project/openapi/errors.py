"""The answers that are errors: from the codes of an operation to its responses, each code with an example."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec

from events.kinds import one_of
from gateway_project.admission import QUOTA_EXCEEDED
from gateway_project.openapi import headers
from gateway_project.problem_types import PROBLEM_TYPES
from gateway_project.problems import CONTENT_TYPE, problem

RETRIED = ("RATE_LIMIT_EXCEEDED", "TOO_MANY_ATTEMPTS", "TOO_MANY_JOBS", "STORE_UNAVAILABLE", "OVERLOADED")
"""The codes that come with `Retry-After`."""

_FIXED = {"request_id": "5d3f8f0e5c5b4a0a9a3a3c3d9f1b7e21", "timestamp": "2026-01-05T10:00:00.125Z"}
_MORE: dict[str, dict[str, Any]] = {
    "INVALID_QUERY": {
        "errors": [{"pointer": "/limit", "detail": "A valid integer is required.", "code": "invalid"}]
    },
    "INVALID_BODY": {
        "errors": [{"pointer": "/depth", "detail": "This field is required.", "code": "required"}]
    },
    "RATE_LIMIT_EXCEEDED": {"type": QUOTA_EXCEEDED, "retry_after": 45, "violated-policies": ["hourly"]},
    "TOO_MANY_ATTEMPTS": {"retry_after": 60},
    "TOO_MANY_JOBS": {"retry_after": 3},
    "STORE_UNAVAILABLE": {"retry_after": 2},
    "OVERLOADED": {"retry_after": 1},
}

_Line = Annotated[str, msgspec.Meta(max_length=8192, pattern=r"^[^\x00]*$")]


class ProblemEntry(msgspec.Struct, frozen=True):
    """A parameter or a field of the body, by its pointer, and what is wrong with it."""

    pointer: Annotated[str, msgspec.Meta(max_length=1024, pattern=r"^(/[\s\S]*)?$")]
    detail: _Line
    code: Annotated[str, msgspec.Meta(max_length=64, pattern="^[a-z_]+$")]


class Problem(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={"violated_policies": "violated-policies"},
):
    """An error (RFC 9457). `error` is stable, `detail` is for people, `retry_after` in seconds."""

    type: Annotated[str, msgspec.Meta(max_length=256, extra_json_schema={"format": "uri-reference"})]
    title: Annotated[str, msgspec.Meta(max_length=64, pattern="^[ -~]+$")]
    status: Annotated[int, msgspec.Meta(ge=400, le=599)]
    detail: _Line
    instance: Annotated[str, msgspec.Meta(max_length=16_384, pattern=r"^[^\x00]*$")]
    error: Annotated[str, one_of(*sorted(PROBLEM_TYPES))]
    request_id: Annotated[str, msgspec.Meta(max_length=128, pattern="^[ -~]*$")]
    timestamp: Annotated[str, msgspec.Meta(max_length=24, extra_json_schema={"format": "date-time"})]
    retry_after: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | msgspec.UnsetType = msgspec.UNSET
    errors: (
        Annotated[list[ProblemEntry], msgspec.Meta(min_length=1, max_length=10_000)] | msgspec.UnsetType
    ) = msgspec.UNSET
    violated_policies: (
        Annotated[
            list[Annotated[str, msgspec.Meta(max_length=64, pattern="^[!-~]*$")]],
            msgspec.Meta(min_length=1, max_length=100),
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET


def example(code: str, instance: str) -> dict[str, Any]:
    """What the error `code` looks like at the path `instance`."""
    return {**problem(code, path=instance), **_FIXED, **_MORE.get(code, {})}


def responses(codes: Iterable[str]) -> dict[str, dict[str, Any]]:
    """By status; each names its `codes`, in the order of the catalogue, and has an example of each."""
    wanted = set(codes)
    unknown = wanted - PROBLEM_TYPES.keys()
    if unknown:
        raise ValueError(f"no code of the catalogue: {', '.join(sorted(unknown))}")
    by_status: dict[str, list[str]] = defaultdict(list)
    for code, kind in PROBLEM_TYPES.items():
        if code in wanted:
            by_status[str(kind.status)].append(code)
    return {status: _response(status, found) for status, found in sorted(by_status.items())}


def _response(status: str, codes: list[str]) -> dict[str, Any]:
    more = headers.refs("WWW-Authenticate") if status == "401" else {}
    if set(codes) & set(RETRIED):
        more |= headers.refs("Retry-After")
    return {
        "description": "; ".join(f"{PROBLEM_TYPES[code].title} (`{code}`)" for code in codes) + ".",
        "headers": more,
        "content": {
            CONTENT_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
            }
        },
    }
