"""`manage.py doctor`: all is well where it is, and what is not is named with its remedy."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import Any

import pytest
from nats.js.errors import NotFoundError

from events import connection, streams
from gateway_project.doctor.findings import Grade
from gateway_project.doctor.stores import compare_clocks
from tests.stack import ROOT, Stack, eventually


def examine(stack: Stack, *options: str, **environ: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit status, and the findings by their subject; of several the worst."""
    url = [] if "--url" in options else ["--url", stack.base_url]
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "doctor", "--json", *url, *options],
        env={**stack.environ, **environ},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert "Traceback" not in done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)
    grades = list(Grade)
    return done.returncode, {
        one["subject"]: one for one in sorted(found, key=lambda one: grades.index(Grade(one["grade"])))
    }


def test_all_is_well_on_a_running_gateway(stack: Stack, known: str) -> None:
    worker = stack.start_worker()
    try:
        eventually(lambda: asyncio.run(_is_worker_there(stack.nats.url)))
        status, found = examine(stack, "--publish", known)
    finally:
        worker.terminate()
        worker.wait(timeout=60)
    assert [one for one in found.values() if one["grade"] == "failed"] == []
    assert status == 0
    assert "arrived" in found["socket"]["seen"]
    assert "refused after" in found["key"]["seen"]
    assert "127.0.0.1" in found["proxies"]["seen"]
    assert found["settings"]["grade"] == "ok"
    assert found["clock of database"]["grade"] == "ok"
    usable = (
        "SELECT count(*) FROM api_keys k JOIN accounts_account a ON a.id = k.account_id "
        "WHERE a.name = 'doctor' AND k.revoked_at IS NULL"
    )
    assert stack.rows(usable) == [(0,)]


@pytest.mark.parametrize(
    ("environ", "subject", "remedy"),
    [
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "redis", "REDIS_URL"),
        ({"NATS_URL": "nats://127.0.0.1:1"}, "nats", "NATS_URL"),
        ({"DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/x"}, "database", "DATABASE_URL"),
    ],
)
def test_what_cannot_be_reached_is_named_with_its_setting_and_without_its_password(
    stack: Stack, environ: dict[str, str], subject: str, remedy: str
) -> None:
    status, found = examine(stack, "--url", "http://127.0.0.1:1", ALOWED_HOSTS="example.com", **environ)
    assert status == 1
    assert "ALOWED_HOSTS is no setting" in found["settings"]["seen"]
    assert "ALLOWED_HOSTS" in found["settings"]["remedy"]
    assert found[subject]["grade"] == "failed"
    assert remedy in found[subject]["remedy"]
    assert "hush" not in json.dumps(found)


def test_a_gateway_that_is_not_there_is_told(stack: Stack) -> None:
    status, found = examine(stack, "--url", "http://127.0.0.1:1")
    assert status == 1
    assert "does not answer" in found["gateway"]["seen"]


def test_a_proxy_that_is_believed_too_much_is_found(own_stack: Stack) -> None:
    own_stack.environ["TRUSTED_PROXIES"] = "127.0.0.0/8"
    own_stack.start_web()
    _, found = examine(own_stack)
    assert found["proxies"]["grade"] == "failed"
    assert "TRUSTED_PROXIES" in found["proxies"]["remedy"]


def test_a_database_that_was_not_migrated_is_told(stack: Stack, tmp_path: Any) -> None:
    nowhere = "http://127.0.0.1:1"
    status, found = examine(stack, "--url", nowhere, DATABASE_URL=f"sqlite:///{tmp_path}/empty.sqlite3")
    assert status == 1
    assert found["migrations"]["remedy"] == "run `manage.py migrate`"


@pytest.mark.parametrize(
    ("ahead_s", "grade"), [(0.0, "ok"), (-0.9, "ok"), (1.5, "failed"), (-90.0, "failed")]
)
def test_clocks_that_differ_by_more_than_a_second_are_told(ahead_s: float, grade: str) -> None:

    assert compare_clocks("database", time.time() + ahead_s).grade == grade


async def _is_worker_there(url: str) -> bool:
    opened = await connection.connect(url, name="tests")
    try:
        found = await opened.jetstream.consumers_info(streams.JOBS.name)
    except NotFoundError:
        return False
    finally:
        await opened.drain()
    return any(one.num_waiting for one in found)
