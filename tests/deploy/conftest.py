"""Where these tests get the metrics, the alerts, the dashboards and promtool from."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.deploy import expressions


@pytest.fixture(scope="session")
def live_metrics() -> set[str]:
    """Every series that a running gateway exports: panels and alerts may ask for nothing else.

    The one place that says what there is. It takes the names from the table of `expressions`, which says
    their labels as well. To ask a running gateway instead, take the fixture `stack`, read ``/metrics`` of its
    web server, bridge and worker, and return `expressions.names_in` of each, together with the series of
    `expressions.CONDITIONAL`.
    """
    return set(expressions.series_of())


@pytest.fixture(scope="session")
def promtool() -> str:
    """Where promtool is; without it these tests are skipped by hand, and fail in CI."""
    found = shutil.which("promtool")
    if found is None:
        told = "promtool is not installed: it is part of Debian's package prometheus"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    return found
