"""What others' generators make of docs/openapi.json compiles, and gets from a gateway what its types say."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway_project.settings import BASE_DIR
from tests.clients.npm import TOOLS, run, tool
from tests.people import add_key, add_tier
from tests.stack import Stack, event, eventually

DOCUMENT = BASE_DIR / "docs/openapi.json"
PACKAGE = "generated_gateway_client"


@pytest.fixture(scope="module")
def known(stack: Stack) -> str:
    """A symbol with a prediction."""
    stack.publish(event("GENER", features={"momentum": 0.25}))
    eventually(lambda: stack.read("GENER"))
    return "GENER"


def test_a_client_of_openapi_typescript(stack: Stack, known: str, tmp_path: Path) -> None:
    generator, compiler = tool("openapi-typescript"), tool("tsc")
    for name in ("call.ts", "tsconfig.json"):
        shutil.copy(Path(__file__).parent / name, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(TOOLS)
    run(generator, DOCUMENT, "-o", "schema.d.ts", cwd=tmp_path)
    run(compiler, "--project", ".", cwd=tmp_path)
    told = json.loads(run("node", "out/call.js", stack.base_url, stack.key, known, cwd=tmp_path))
    assert told == {
        "read": {"status": 200, "price": 188.1},
        "again": 304,
        "many": {"status": 200, "missing": ["ZZZZZ"]},
        "unknown": {"status": 404, "error": "UNKNOWN_SYMBOL", "type": "/errors/UNKNOWN_SYMBOL"},
        "ordered": {"status": 202, "job": True},
        "refused": {"status": 422, "pointer": "/depth"},
        "denied": {"status": 401, "error": "INVALID_CREDENTIAL"},
        "profile": {"status": 200, "kind": "key"},
    }


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The client that openapi-python-client makes; a function that imports a module of it."""
    folder = tmp_path_factory.mktemp("client")
    command: list[str | Path] = ["openapi-python-client", "generate", "--path", DOCUMENT, "--meta", "none"]
    told = run(*command, "--output-path", PACKAGE, "--fail-on-warning", cwd=folder)
    assert "Unable" not in told
    sys.path.insert(0, str(folder))
    yield lambda name: importlib.import_module(f"{PACKAGE}.{name}")
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def test_a_client_of_openapi_python_client(stack: Stack, known: str, generated: Any) -> None:
    with generated("client").AuthenticatedClient(
        base_url=stack.base_url, token=stack.key, prefix="", auth_header_name="X-API-Key"
    ) as client:
        read = generated("api.predictions.get_prediction").sync_detailed(
            known, client=client, include_features=True
        )
        assert read.status_code == 200
        assert isinstance(read.parsed, generated("models.prediction_answer").PredictionAnswer)
        assert read.parsed.predicted_price == 188.1
        assert read.parsed.features["momentum"] == 0.25
        unknown = generated("api.predictions.get_prediction").sync_detailed("ZZZZZ", client=client)
        assert unknown.status_code == 404
        assert isinstance(unknown.parsed, generated("models.problem").Problem)
        assert unknown.parsed.error == "UNKNOWN_SYMBOL"
        body = generated("models.order_body").OrderBody(
            depth=generated("models.order_body_depth").OrderBodyDepth.FAST
        )
        ordered = generated("api.explanations.order_explanation").sync_detailed(
            known, client=client, body=body
        )
        assert ordered.status_code == 202
        job = generated("api.explanations.get_explanation_job").sync_detailed(
            ordered.parsed.job_id, client=client
        )
        assert job.status_code == 202
        many = generated("api.predictions.list_predictions").sync_detailed(
            client=client, symbols=[known, "ZZZZZ"]
        )
        assert known in many.parsed.predictions
        assert many.parsed.missing == ["ZZZZZ"]
        profile = generated("api.keys.get_profile").sync_detailed(client=client)
        assert profile.parsed.caller.kind == "key"


def test_a_client_of_openapi_python_client_with_a_key_as_bearer_gets_429_as_a_problem(
    stack: Stack, known: str, generated: Any
) -> None:
    key = add_key(stack, add_tier(stack, ("one", "account", 1, 3600, None)))
    with generated("client").AuthenticatedClient(base_url=stack.base_url, token=key.secret) as client:
        read = generated("api.predictions.get_prediction").sync_detailed
        assert read(known, client=client).status_code == 200
        limited = read(known, client=client)
        assert limited.status_code == 429
        assert limited.parsed.error == "RATE_LIMIT_EXCEEDED"
        assert limited.parsed.retry_after >= 1
        assert limited.parsed.violated_policies == ["one"]


def test_a_client_of_openapi_python_client_without_a_credential_gets_401(
    stack: Stack, generated: Any
) -> None:
    with generated("client").Client(base_url=stack.base_url) as client:
        denied = generated("api.keys.get_profile").sync_detailed(client=client)
        assert denied.status_code == 401
        assert denied.parsed.error == "NOT_AUTHENTICATED"
