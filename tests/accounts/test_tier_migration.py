"""The columns for sockets come and go on both databases, with their seeds, and harm nothing that is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import ROOT, fresh_database

# Tiers are changed meanwhile: on Postgres their triggers wait for a commit, on SQLite they name columns.
BACK_AND_FORTH = """
from django.core.management import call_command
from django.db import connection
from accounts.models import AccessChange, Tier

def tiers(columns):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name, {columns} FROM accounts_tier ORDER BY name")
        print(*cursor.fetchall(), sep=";")

def migrate(*where):
    call_command("migrate", *where, verbosity=0)

migrate()
Tier.objects.filter(name="pro").update(most_connections=1, frames_per_s=2)
tiers("most_connections, frames_per_s")
migrate("accounts", "0005")
with connection.cursor() as cursor:
    columns = "name, description, when_redis_is_down"
    cursor.execute(f"INSERT INTO accounts_tier ({columns}) VALUES ('gold', '', 'open')")
    cursor.execute("UPDATE accounts_tier SET when_redis_is_down = 'open' WHERE name = 'free'")
tiers("when_redis_is_down")
migrate()
tiers("most_connections, frames_per_s")
AccessChange.objects.all().delete()
Tier.objects.filter(name="gold").update(when_redis_is_down="closed")
print(AccessChange.objects.count())
"""

EXPECTED = """\
('anonymous', 0, None);('enterprise', None, None);('free', 5, None);('pro', 1, 2)
('anonymous', 'local');('enterprise', 'local');('free', 'open');('gold', 'open');('pro', 'local')
('anonymous', 0, None);('enterprise', None, None);('free', 5, None);('gold', None, None);('pro', 50, None)
1
"""


def run_on(database_url: str) -> str:
    """What the script prints on `database_url`."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--verbosity", "0", "-c", BACK_AND_FORTH],
        env={**os.environ, "DATABASE_URL": database_url},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_back_and_forth_on_sqlite(tmp_path: Path) -> None:
    assert run_on(f"sqlite:///{tmp_path}/gateway.sqlite3") == EXPECTED


@pytest.mark.skipif(not os.environ["DATABASE_URL"].startswith("postgresql://"), reason="needs Postgres")
def test_back_and_forth_on_postgres() -> None:
    with fresh_database(os.environ["DATABASE_URL"]) as database_url:
        assert run_on(database_url) == EXPECTED
