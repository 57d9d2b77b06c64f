"""Whatever docs/openapi.json allows and forbids, the running gateway answers as the document says.

Schemathesis makes the calls, as nobody, as each role and with keys of one scope, with all of its checks:
statuses, headers, bodies, refusals of what is wrong, credentials that are asked for, things of others and
things that are gone. Beside its own verdict, what each caller may do must have been done at least once, and
nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import resolve

from gateway_project.settings import BASE_DIR
from tests.conftest import let_strangers_call, running_stack
from tests.contract.fuzz_examples import DOCUMENT, examples_of
from tests.contract.test_access_matrix import MATRIX, ROLES
from tests.explained import add_explanation
from tests.people import add_account, add_key, add_user, bearer, log_in
from tests.stack import Stack, event, eventually

FUZZ_S = int(os.environ.get("FUZZ_S", "0"))
"""Seconds for all callers together; without it a few examples of everything."""

PEOPLE = ("viewer", "operator", "admin")
KEYS = {"reader": "predictions:read", "manager": "keys:write"}
"""Callers with a key, and its only scope. `reader` makes no keys that it could be asked about."""
CALLERS = ("nobody", *PEOPLE, *KEYS)
OWN_KEYS = {"auth-key", "auth-rotate-key", "auth-revoke"}
"""Routes that the table of access calls with a key that somebody else has made; here it is the caller's."""

MOST_REFUSED = 1 / 3
"""Of all calls, with 429: beyond that the limits were fuzzed, and not what is behind them."""

Answers = dict[str, dict[str, int]]
"""How often each operation was answered with each status."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Stack]:
    """A gateway with something to read, where the names that fuzzing likes may be tried at the login."""
    with running_stack(let_strangers_call, let_guess) as made:
        made.publish(event("AAPL"), event("MSFT"))
        eventually(lambda: made.read("AAPL") and made.read("MSFT"))
        add_explanation(made, "AAPL")
        yield made


def let_guess(made: Stack) -> None:
    """Callers that wait as `Retry-After` says would spend their time at the login."""
    made.environ["LOGIN_ATTEMPTS_PER_MINUTE"] = "100000"


def phases() -> list[str]:
    """Which parts of Schemathesis run, and for how long."""
    if FUZZ_S:
        return [f"--max-time={FUZZ_S // len(CALLERS)}", "--phases=examples,coverage,fuzzing,stateful"]
    return ["--phases=examples,fuzzing,stateful", "--max-examples=3", "--seed=1"]


def operations_for(caller: str) -> set[str]:
    """What the table of access lets `caller` do; who is logged in does not log out on the way."""
    found = set()
    for path, methods in json.loads(DOCUMENT.read_text())["paths"].items():
        route = str(resolve(path.replace("{", "").replace("}", "")).url_name)
        for method, operation in methods.items():
            status = MATRIX[route, method.upper()][ROLES.index(caller)]
            if status < 300 or (caller in PEOPLE and route in OWN_KEYS):
                found.add(operation["operationId"])
    return found - excluded_for(caller)


def excluded_for(caller: str) -> set[str]:
    """What would end the credential that all other calls need: a key that names none means itself."""
    if caller in KEYS:
        return {"revokeKey", "rotateKey"}
    return {"logout"} if caller in PEOPLE else set()


@pytest.mark.parametrize("caller", CALLERS)
def test_the_gateway_answers_as_its_document_says(gateway: Stack, tmp_path: Path, caller: str) -> None:
    account = add_account(gateway, "enterprise")
    headers = headers_of(gateway, account, caller)
    makes_keys = "registerKey" in operations_for(caller)
    examples = examples_of(gateway, account, headers if makes_keys else {})
    document = examples.write(tmp_path / "openapi.json")
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            "--config-file=tests/contract/schemathesis.toml",
            "run",
            str(document),
            f"--url={gateway.base_url}",
            "--checks=all",
            "--rate-limit=auto",
            "--request-timeout=40",
            "--continue-on-failure",
            *(f"--header={name}: {value}" for name, value in headers.items()),
            *(f"--exclude-operation-id={name}" for name in sorted(excluded_for(caller))),
            *phases(),
        ],
        cwd=BASE_DIR,
        env={**os.environ, "PYTHONPATH": str(BASE_DIR), "FUZZ_ANSWERS": str(tmp_path / "answers")},
        capture_output=True,
        text=True,
        timeout=FUZZ_S + 120,
        check=False,
    )
    (tmp_path / "told").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    check_answers(json.loads((tmp_path / "answers").read_text()), operations_for(caller))


def headers_of(gateway: Stack, account: int, caller: str) -> dict[str, str]:
    """The credential of a new person or key of `account`."""
    if caller in PEOPLE:
        return bearer(log_in(gateway, add_user(gateway, account=account, role=caller)))
    if caller in KEYS:
        return add_key(gateway, "enterprise", account=account, scopes=json.dumps([KEYS[caller]])).header
    return {}


def check_answers(answers: Answers, allowed: set[str]) -> None:
    """Each of `allowed` was done, and nothing else; and few calls were refused for their number."""
    done = {
        name for name, statuses in answers.items() if any(200 <= int(status) < 300 for status in statuses)
    }
    assert done == allowed, (done ^ allowed, answers)
    refused = sum(statuses.get("429", 0) for statuses in answers.values())
    assert refused < MOST_REFUSED * sum(sum(statuses.values()) for statuses in answers.values()), answers
