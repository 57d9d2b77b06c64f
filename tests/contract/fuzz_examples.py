"""The contract with examples that exist on a running gateway: so that Schemathesis finds what there is.

The examples of docs/openapi.json are good to read; asked for, they are keys, jobs and people that never were.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from gateway_project.settings import BASE_DIR
from tests.explained import add_job
from tests.people import PASSWORD, add_user, log_in
from tests.stack import Stack

DOCUMENT = BASE_DIR / "docs" / "openapi.json"


@dataclass(frozen=True)
class Examples:
    """What there is to be asked for, by operation: values of parameters, and bodies."""

    parameters: dict[str, dict[str, str]]
    bodies: dict[str, dict[str, Any]]

    def write(self, path: Path) -> Path:
        """The contract with these examples, in `path`."""
        document = json.loads(DOCUMENT.read_text())
        for routes in document["paths"].values():
            for operation in routes.values():
                self._put_into(operation)
        path.write_text(json.dumps(document))
        return path

    def _put_into(self, operation: dict[str, Any]) -> None:
        name = operation["operationId"]
        for parameter in operation.get("parameters", []):
            value = self.parameters.get(name, {}).get(parameter["name"])
            if value is not None:
                parameter["example"] = value
                parameter["schema"].pop("examples", None)
        if name in self.bodies:
            content = operation["requestBody"]["content"]["application/json"]
            content["examples"] = {"Existing": {"value": self.bodies[name]}}


def examples_of(stack: Stack, account: int, headers: dict[str, str]) -> Examples:
    """Keys that whoever sends `headers` has made, jobs of `account`, and somebody of it who logs in."""
    person = add_user(stack, account=account)
    to_see, to_rotate, to_revoke = (
        [_make_key(stack, headers) for _ in range(3)] if headers else [uuid.uuid4().hex[:22]] * 3
    )
    return Examples(
        parameters={
            "getExplanationJob": {"job_id": str(add_job(stack, account))},
            "cancelExplanationJob": {"job_id": str(add_job(stack, account))},
            "orderExplanation": {"Idempotency-Key": str(uuid.uuid4())},
            "getKey": {"public_id": to_see},
            "changeKey": {"public_id": to_see},
            "revokeKey": {"key": to_revoke},
        },
        bodies={
            "changeKey": {"name": "changed"},
            "rotateKey": {"key": to_rotate},
            "login": {"username": person, "password": PASSWORD},
            "refreshLogin": {"refresh_token": log_in(stack, person)["refresh_token"]},
            "logout": {"refresh_token": log_in(stack, person)["refresh_token"]},
        },
    )


def _make_key(stack: Stack, headers: dict[str, str]) -> str:
    made = httpx.post(f"{stack.base_url}/auth/register", json={}, headers=headers)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])
