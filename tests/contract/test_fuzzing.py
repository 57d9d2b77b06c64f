"""Whatever docs/openapi.json allows and forbids, the running gateway answers as the document says.

Schemathesis makes the calls, as nobody and as each role, with all of its checks: statuses, headers, bodies,
refusals of what is wrong, credentials that are asked for, things of others and things that are gone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway_project.settings import BASE_DIR
from tests.explained import add_explanation
from tests.people import add_account, add_user, bearer, log_in
from tests.stack import Stack, event, eventually

FUZZ_S = int(os.environ.get("FUZZ_S", "0"))
"""Seconds for all callers together; without it a few examples of everything."""

CALLERS = ("anonymous", "viewer", "operator", "admin")


@pytest.fixture(scope="module")
def account(stack: Stack) -> int:
    """An account without limits, and something to read."""
    stack.publish(event("AAPL"), event("MSFT"))
    eventually(lambda: stack.read("AAPL") and stack.read("MSFT"))
    add_explanation(stack, "AAPL")
    return add_account(stack, "enterprise")


def phases() -> list[str]:
    """Which parts of Schemathesis run, and for how long."""
    if FUZZ_S:
        return [f"--max-time={FUZZ_S // len(CALLERS)}", "--phases=examples,coverage,fuzzing,stateful"]
    return ["--max-time=8", "--phases=examples,fuzzing,stateful", "--max-examples=3", "--seed=1"]


@pytest.mark.parametrize("caller", CALLERS)
def test_the_gateway_answers_as_its_document_says(
    stack: Stack, account: int, tmp_path: Path, caller: str
) -> None:
    headers = []
    if caller != "anonymous":
        pair = log_in(stack, add_user(stack, account=account, role=caller))
        headers = [
            f"--header=Authorization: {bearer(pair)['Authorization']}",
            "--exclude-operation-id=logout",
        ]
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            "--config-file=tests/contract/schemathesis.toml",
            "run",
            "docs/openapi.json",
            f"--url={stack.base_url}",
            "--checks=all",
            "--rate-limit=auto",
            "--request-timeout=40",
            "--continue-on-failure",
            *headers,
            *phases(),
        ],
        cwd=BASE_DIR,
        env={**os.environ, "PYTHONPATH": str(BASE_DIR)},
        capture_output=True,
        text=True,
        timeout=FUZZ_S + 120,
        check=False,
    )
    (tmp_path / "told").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
