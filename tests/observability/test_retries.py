"""Calls are repeated while their dependency is away, and for nothing else."""

from __future__ import annotations

import logging

import pytest

from observability.outages import Outage
from observability.retries import until_it_works


class Away:
    """Fails as often as told, then answers."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)

    async def __call__(self) -> str:
        if self._failures:
            raise self._failures.pop(0)
        return "here"


async def test_repeats_what_may_fail_and_tells_the_outage_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    outage = Outage("the thing")
    call = Away(OSError("gone"), TimeoutError("gone"))
    assert await until_it_works(call, OSError, outage=outage, most_s=0.001) == "here"
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert await until_it_works(Away(KeyError()), KeyError, most_s=0.001) == "here"


async def test_what_nobody_expected_is_raised_at_once() -> None:
    with pytest.raises(ValueError, match="odd"):
        await until_it_works(Away(ValueError("odd")), OSError)
