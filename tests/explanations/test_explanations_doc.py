"""docs/EXPLANATIONS.md says what the code does, and its examples run as they stand."""

from __future__ import annotations

import re
import subprocess
import uuid
from datetime import datetime

import httpx
import msgspec

from accounts.access import ROUTES
from explanations.answers import JobDone
from explanations.idempotency import KEPT, LONGEST_KEY
from gateway_project.config import Config
from gateway_project.preferences import LONGEST_S, MOST_WAITING
from gateway_project.problem_types import PROBLEM_TYPES
from gateway_project.settings import BASE_DIR
from tests.explanations.ends import CURRENT, PREDICTED, completed
from tests.integration.test_explanations_rest import say
from tests.stack import Stack, event, eventually

DOCUMENT = (BASE_DIR / "docs/EXPLANATIONS.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first line begins with `heading`."""
    table = DOCUMENT.partition(f"\n| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_table_of_calls_has_every_route() -> None:
    paths = {"explanation": "/api/explanation/{symbol}", "explanation-job": "/api/explanation/job/{job_id}"}
    wanted = {f"{method} {path}" for route, path in paths.items() for method in ROUTES[route]}
    assert {cells[0].strip("`") for cells in rows("Call")} == wanted


def test_the_table_of_codes_has_codes_that_exist_at_their_status() -> None:
    told = {cells[1].strip("`"): int(cells[0]) for cells in rows("Status")}
    for code, status in told.items():
        assert PROBLEM_TYPES[code].status == status
    ours = {code for code in PROBLEM_TYPES if re.search("JOB|EXPLANATION|IDEMPOTENCY", code)}
    assert ours <= told.keys()


def test_the_table_of_fields_has_every_field() -> None:
    told = {name for cells in rows("Field") for name in re.findall(r"`(\w+)`", cells[0])}
    assert told == {field.name for field in msgspec.structs.fields(JobDone)}


def test_numbers_are_those_of_the_code() -> None:
    budget = next(f for f in msgspec.structs.fields(Config) if f.name == "explanations_in_flight")
    assert f"`EXPLANATIONS_IN_FLIGHT` ({budget.default})" in DOCUMENT
    assert f"n seconds, {LONGEST_S} at most" in DOCUMENT
    assert f"{MOST_WAITING:,} calls wait" in DOCUMENT
    assert f"1 to {LONGEST_KEY} printable" in DOCUMENT
    assert f"For {KEPT.total_seconds() / 3600:g} hours" in DOCUMENT


def test_the_examples_run(stack: Stack) -> None:
    newest = event("AAPL", current_price=CURRENT, predicted_price=PREDICTED)
    stack.publish(newest)
    made = datetime.fromisoformat(newest["timestamp"])
    eventually(lambda: (read := stack.read("AAPL")) and datetime.fromisoformat(read["timestamp"]) == made)
    # No worker runs here: what the examples order has been explained before.
    order = httpx.post(
        f"{stack.base_url}/api/explanation/AAPL", json={"depth": "fast"}, headers={"X-API-Key": stack.key}
    ).json()
    say(stack, completed(uuid.UUID(order["job_id"])))
    eventually(lambda: stack.get("/api/explanation/AAPL?depth=fast").status_code == 200)
    [script] = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
    script = script.replace("http://127.0.0.1:8000", stack.base_url).replace("pgw_live_your_key", stack.key)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"summary"') == 3
