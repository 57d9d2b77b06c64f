"""Every relative link of every document leads to a file that is there, and to a heading in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_project.settings import BASE_DIR

FOLDERS = (".", "benchmarks", "deploy", "docker", "docs")


def documents() -> Iterator[Path]:
    """The Markdown files of the project."""
    for folder in FOLDERS:
        yield from (BASE_DIR / folder).glob("*.md" if folder == "." else "**/*.md")


def anchors(document: Path) -> set[str]:
    """What its headings are called in links."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", sorted(documents()), ids=lambda path: str(path.relative_to(BASE_DIR)))
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\((?!\w+:)([^)\s]+)", document.read_text()):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
