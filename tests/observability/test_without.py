"""Packages that are hidden from an import, and there again after it."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from observability.without import without
from tests.stack import ROOT


def test_a_hidden_package_is_missing_meanwhile_and_then_the_same_again() -> None:
    import redis

    with without("redis", "no_such_package"):
        with pytest.raises(ModuleNotFoundError):
            import redis as hidden  # noqa: F401
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("no_such_package")
    assert sys.modules["redis"] is redis
    assert "no_such_package" not in sys.modules


def test_the_bridge_starts_without_what_it_has_no_use_for() -> None:
    script = (
        "import sys; sys.argv = ['manage.py', 'nats_bridge']; import django; django.setup(); "
        "print(sorted({'twisted', 'rich', 'unfold.admin'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "gateway_project.settings", "DEBUG": "true"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[]\n"
