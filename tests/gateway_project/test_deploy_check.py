"""`manage.py check --deploy` has nothing to warn of in production, where default secrets are refused."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from gateway_project.settings import BASE_DIR


def check(**environ: str) -> subprocess.CompletedProcess[str]:
    """The command, with nothing in its environment but this."""
    return subprocess.run(
        [sys.executable, str(BASE_DIR / "manage.py"), "check", "--deploy", "--fail-level", "WARNING"],
        env={"PATH": os.environ["PATH"], "ALLOWED_HOSTS": "api.example.com", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """What an operator sets at least."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "DATABASE_URL": f"sqlite:///{tmp_path}/x.sqlite3",
        "DATA_DIR": str(tmp_path),
    }


@pytest.mark.parametrize("url", ["", "postgresql://gateway@db.example.com/gateway"])
def test_production_passes(environ: dict[str, str], url: str) -> None:
    done = check(**environ | ({"DATABASE_URL": url} if url else {}))
    assert (done.returncode, done.stdout) == (0, "System check identified no issues (2 silenced).\n"), (
        done.stderr
    )


def test_development_does_not(environ: dict[str, str]) -> None:
    done = check(**environ, DEBUG="true")
    assert done.returncode == 1
    for number in ("W004", "W010", "W018"):
        assert f"security.{number}" in done.stderr


@pytest.mark.parametrize("secret", ["", "insecure-development-secret"])
def test_default_secrets_are_refused(environ: dict[str, str], secret: str) -> None:
    done = check(**environ | {"SECRET_KEY": secret})
    assert done.returncode != 0
    assert "SECRET_KEY" in done.stderr


def test_a_misspelt_setting_is_told_of(environ: dict[str, str]) -> None:
    done = check(**environ, REDIS_URI="redis://127.0.0.1")
    assert done.returncode == 0
    assert "REDIS_URI is no setting; is REDIS_URL meant?" in done.stderr
