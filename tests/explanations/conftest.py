"""Fixtures of the tests of explanations."""

from __future__ import annotations

from typing import Any

import pytest

from events import relay


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was handed to the relay: orders as they are, cancellations by subject and payload."""
    handed: list[Any] = []
    monkeypatch.setattr(relay, "hand_over", handed.append)
    monkeypatch.setattr(relay, "tell", lambda subject, payload, headers: handed.append((subject, payload)))
    return handed
