"""docs/SECURITY.md names tests that exist, one at least for each risk, and the versions of its tools once."""

from __future__ import annotations

import re

import pytest

from tests.stack import ROOT

TEXT = (ROOT / "docs/SECURITY.md").read_text()


def test_every_path_that_the_document_names_exists() -> None:
    named = set(re.findall(r"`((?:tests|docs|docker|deploy|accounts|gateway_project)/[\w./-]+)`", TEXT))
    assert len(named) > 30
    assert not sorted(path for path in named if not (ROOT / path).exists())


@pytest.mark.parametrize("risk", [f"API{number}" for number in range(1, 11)])
def test_every_risk_has_a_test(risk: str) -> None:
    (row,) = re.findall(rf"^\| {risk} .*$", TEXT, re.MULTILINE)
    assert re.search(r"`tests/[\w/]+\.py`", row)


def test_every_test_of_this_folder_is_in_the_document() -> None:
    own = {path.name for path in (ROOT / "tests/security").glob("test_api*.py")}
    assert not sorted(name for name in own if f"tests/security/{name}" not in TEXT)
