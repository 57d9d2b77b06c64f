"""docs/ACCOUNTS.md says what the code does, and its examples run as they stand."""

from __future__ import annotations

import re
import subprocess

import pytest
from django.urls import get_resolver

from accounts.access import ROUTES
from accounts.actions import MOST_KEYS, OVERLAPS
from accounts.limits import Decision, LimitRule, Standing, headers
from accounts.models import Tier, default_scopes
from accounts.models.tiers import DEFAULT_FRAMES_PER_S
from accounts.roles import ROLE_SCOPES, SCOPES
from accounts.tickets import LIFETIME_S
from gateway_project.problem_types import PROBLEM_TYPES
from gateway_project.settings import BASE_DIR
from tests.stack import Stack

DOCUMENT = (BASE_DIR / "docs/ACCOUNTS.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first line begins with `heading`."""
    table = DOCUMENT.partition(f"\n| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_table_of_scopes_is_that_of_the_roles() -> None:
    told = {cells[0].strip("`"): cells[1:] for cells in rows("Scope")}
    assert told.keys() == SCOPES.keys()
    for scope, (meaning, *marks) in told.items():
        granted = [scope in scopes for scopes in (*ROLE_SCOPES.values(), default_scopes())]
        assert meaning == SCOPES[scope]
        assert [mark == "✓" for mark in marks] == granted, scope
    heading = re.search(r"^\| Scope \|.*$", DOCUMENT, re.MULTILINE)
    assert heading is not None
    assert heading[0].strip("|").replace(" ", "").split("|")[2:] == [*ROLE_SCOPES, "key"]


def test_the_table_of_calls_has_every_route_of_accounts() -> None:
    told = {cells[0].strip("`") for cells in rows("Call")}
    patterns = get_resolver().reverse_dict
    wanted = set()
    for route, methods in ROUTES.items():
        if route.startswith("auth-"):
            [(path, names)] = patterns.getlist(route)[0][0]
            shown = path.replace(f"%({names[0]})s", f"{{{names[0]}}}") if names else path
            wanted |= {f"{method} /{shown}" for method in methods}
    assert told == wanted


def test_the_table_of_codes_has_codes_that_exist_at_their_status() -> None:
    told = {cells[1].strip("`"): int(cells[0]) for cells in rows("Status")}
    for code, status in told.items():
        assert PROBLEM_TYPES[code].status == status
    about_keys = {
        code
        for code in PROBLEM_TYPES
        if any(word in code for word in ("KEY", "TOKEN", "CREDENTIAL")) and "IDEMPOTENCY" not in code
    }
    assert about_keys <= told.keys()


def test_the_examples_of_headers_are_what_a_decision_is_told_as() -> None:
    told = {cells[0].strip("`"): cells[1].strip("`") for cells in rows("Header")}
    rules = [
        LimitRule("hourly", "account", 1000, 3600, None, "", "pro"),
        LimitRule("burst", "account", 50, 1, 250, "", "pro"),
    ]
    standings = (Standing(rules[0], "", 997, 1210.0, 0), Standing(rules[1], "", 249, 0.02, 0))
    made = dict(headers(Decision(True, standings, "redis"), 1_767_229_200 - 1210))
    assert {name: told[name] for name in made} == made
    assert told.keys() == made.keys() | {"Retry-After"}


@pytest.mark.django_db
def test_the_table_of_tiers_says_what_their_sockets_may() -> None:
    told = {cells[0].strip("`"): cells[1:] for cells in rows("Tier")}
    tiers = {tier.name: tier for tier in Tier.objects.all()}
    assert told.keys() == tiers.keys()
    for name, (connections, frames) in told.items():
        most = tiers[name].most_connections
        assert connections.startswith("no limit" if most is None else str(most)), name
        assert frames == str(tiers[name].frames_per_s or DEFAULT_FRAMES_PER_S), name
    assert f"empty means no limit, and {DEFAULT_FRAMES_PER_S} frames a second" in DOCUMENT


def test_numbers_are_those_of_the_code() -> None:
    assert f"An account may have {MOST_KEYS} usable" in DOCUMENT
    assert f"within {LIFETIME_S} seconds" in DOCUMENT
    told = re.search(r"lives on for `overlap` \((.*?);", DOCUMENT, re.DOTALL)
    assert told is not None
    assert re.findall(r"`(.*?)`", told[1]) == list(OVERLAPS)


def test_the_examples_run_as_they_stand(stack: Stack) -> None:
    password = "correct horse battery"
    stack.manage(
        "shell",
        "-c",
        "from accounts.models import User;"
        f"User.objects.create_user('doc-reader', password={password!r}, role='operator')",
    )
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL))
    settings = {"BASE": stack.base_url, "USERNAME": "doc-reader", "PASSWORD": f"'{password}'"}
    for name, value in settings.items():
        script, replaced = re.subn(rf"^{name}=.*$", f"{name}={value}", script, flags=re.MULTILINE)
        assert replaced == 1
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert '"remaining":' in done.stdout
    assert "ticker of the desk" in done.stdout
