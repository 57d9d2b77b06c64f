"""Fixtures of tests on the shared stack."""

from __future__ import annotations

import pytest

from tests.stack import Stack, event, eventually


@pytest.fixture
def known(stack: Stack, symbol: str) -> str:
    """A symbol with one prediction."""
    stack.publish(event(symbol, features={"momentum_21d": 0.04}))
    eventually(lambda: stack.read(symbol))
    return symbol
