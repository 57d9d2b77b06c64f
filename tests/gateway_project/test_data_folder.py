"""The folder of an embedded stack: private, held by one, and its key works in the database at hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.actions import IssuedKey
from accounts.credentials import authenticate
from accounts.models import ApiKey
from gateway_project import data_folder
from gateway_project.config import ConfigurationError
from gateway_project.management.commands import up


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path_in", "issue", "tier"),
    [
        (data_folder.demo_key_file, up._issue_demo_key, "enterprise"),
        (data_folder.dashboard_key_file, up._issue_dashboard_key, "dashboard"),
    ],
)
def test_a_key_stays_the_same_and_is_replaced_where_the_database_does_not_know_it(
    tmp_path: Path, path_in: Callable[[Path], Path], issue: Callable[[], IssuedKey], tier: str
) -> None:
    path = path_in(tmp_path)
    first = up._kept_key(path, issue)
    assert authenticate(first, now=timezone.now(), address="127.0.0.1").tier == tier
    assert up._kept_key(path, issue) == first
    ApiKey.objects.all().delete()
    second = up._kept_key(path, issue)
    assert second != first
    path.write_bytes(b"\xff")
    assert authenticate(up._kept_key(path, issue), now=timezone.now(), address="127.0.0.1")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("way", ["option", "option=", "environment", "yaml"])
def test_the_secret_key_is_made_in_the_folder_that_was_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    chosen = tmp_path / "chosen"
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.setenv("DATA_DIR", str(chosen) if way == "environment" else "x")
    if way == "yaml":
        monkeypatch.delenv("DATA_DIR")
        (tmp_path / "gateway.yaml").write_text(f"data_dir: {chosen}\n")
    arguments = {"option": ["--data", str(chosen)], "option=": [f"--data={chosen}"]}.get(way, [])
    data_folder.choose(["--port", "1", *arguments], tmp_path)
    secret = (chosen / "secret_key").read_text()
    assert len(secret) > 50
    data_folder.choose(arguments, tmp_path)
    assert (chosen / "secret_key").read_text() == secret
    assert os.environ.get("DATA_DIR", str(chosen)) == str(chosen)


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.setenv("DATA_DIR", "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        data_folder.choose(["--data", str(tmp_path / "file")], tmp_path)


def test_only_one_may_hold_the_folder(tmp_path: Path) -> None:
    with data_folder.lock(tmp_path), pytest.raises(data_folder.FolderInUse):
        data_folder.lock(tmp_path)
    data_folder.lock(tmp_path).close()
