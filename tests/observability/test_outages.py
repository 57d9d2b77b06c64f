"""An outage is two log lines, one probe at a time, and shared by every thread."""

from __future__ import annotations

import logging
import threading

import pytest

from observability.outages import Outage

LOGGER = "observability.outages"


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """Level and text of what outages have logged."""
    return [(level, text) for name, level, text in caplog.record_tuples if name == LOGGER]


@pytest.fixture
def outage(caplog: pytest.LogCaptureFixture) -> Outage:
    """The outage of a dependency that is probed every half second."""
    caplog.set_level(logging.DEBUG, logger=LOGGER)
    return Outage("Redis", retry_after_s=0.5)


def test_a_dependency_is_believed_up_at_first(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    assert not outage.ongoing
    assert outage.worth_trying(0.0)
    assert outage.worth_trying()
    outage.succeeded(1.0)
    assert lines(caplog) == []


def test_many_failures_are_one_line_that_names_the_first_error(
    outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    outage.failed(ConnectionError("refused"), 10.0)
    outage.failed(TimeoutError("slow"), 11.0)
    outage.failed(TimeoutError("slow"), 12.0)
    assert outage.ongoing
    assert lines(caplog) == [(logging.ERROR, "Redis is unavailable: ConnectionError: refused")]


def test_the_first_success_tells_how_long_it_was_away_and_what_failed_meanwhile(
    outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    outage.failed(ConnectionError("refused"), 10.0)
    outage.failed(ConnectionError("refused"), 11.0)
    outage.succeeded(12.5)
    outage.succeeded(13.0)
    assert not outage.ongoing
    assert lines(caplog)[1:] == [(logging.WARNING, "Redis is back after 2.5 s and 2 failed calls")]


def test_a_second_outage_is_told_and_counted_anew(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    for start in (10.0, 20.0):
        outage.failed(ConnectionError("refused"), start)
        outage.succeeded(start + 1)
    assert [text for _, text in lines(caplog)] == [
        "Redis is unavailable: ConnectionError: refused",
        "Redis is back after 1.0 s and 1 failed calls",
    ] * 2


def test_one_probe_is_let_through_per_interval(outage: Outage) -> None:
    outage.failed(ConnectionError(), 10.0)
    tries = [10.0, 10.4, 10.5, 10.5, 10.9, 11.0, 11.1, 20.0, 20.4]
    assert [now for now in tries if outage.worth_trying(now)] == [10.5, 11.0, 20.0]


def test_a_failed_probe_starts_the_interval_again(outage: Outage) -> None:
    outage.failed(ConnectionError(), 10.0)
    assert outage.worth_trying(10.5)
    outage.failed(ConnectionError(), 10.8)
    assert not outage.worth_trying(11.2)
    assert outage.worth_trying(11.3)


def test_after_a_success_everything_is_let_through(outage: Outage) -> None:
    outage.failed(ConnectionError(), 10.0)
    outage.succeeded(10.1)
    assert all(outage.worth_trying(10.1) for _ in range(3))


def test_without_a_time_the_clock_of_the_process_counts() -> None:
    never, always = Outage("a", retry_after_s=1e9), Outage("b", retry_after_s=0.0)
    for outage in (never, always):
        outage.failed(ConnectionError())
    assert not never.worth_trying()
    assert always.worth_trying()
    always.succeeded()
    assert not always.ongoing


def test_of_many_threads_one_probes_and_one_tells(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    start = threading.Barrier(8, timeout=60)
    probes: list[bool] = []

    def call() -> None:
        start.wait()
        outage.failed(ConnectionError("refused"), 10.0)
        start.wait()
        probes.append(outage.worth_trying(10.5))
        start.wait()
        outage.succeeded(11.0)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(probes) == [False] * 7 + [True]
    assert [text for _, text in lines(caplog)] == [
        "Redis is unavailable: ConnectionError: refused",
        "Redis is back after 1.0 s and 8 failed calls",
    ]


class Overtaken(Outage):
    """An outage that another thread ends between this thread's look at it and its turn."""

    looked = False

    @property
    def ongoing(self) -> bool:
        seen = super().ongoing
        if seen and not self.looked:
            self.looked = True
            self.succeeded(11.0)
        return seen


def test_a_success_that_comes_second_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    outage = Overtaken("Redis")
    outage.failed(ConnectionError("refused"), 10.0)
    outage.succeeded(12.0)
    assert not outage.ongoing
    assert [text for _, text in lines(caplog)][1:] == ["Redis is back after 1.0 s and 1 failed calls"]
