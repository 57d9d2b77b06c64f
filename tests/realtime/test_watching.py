"""Who is told of which explanation: watchers of their own jobs, followers of symbols, and nobody twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realtime import news
from realtime.connection import Connection
from realtime.news import News
from realtime.watching import MAX_WATCHES, Watching

PROGRESS = news.news_of("c-1", "AAPL", "explanation_progress", progress=0.5)
COMPLETED = news.news_of("c-1", "AAPL", "explanation_completed", symbol="AAPL", explanation={"summary": "up"})
FAILED = news.news_of("c-1", "AAPL", "explanation_failed", reason="no model")


class Socket:
    """A connection whose frames are kept."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.connection = Connection("c", self._send)

    async def _send(self, message: dict[str, Any]) -> None:
        self.frames.append(json.loads(message["text"]))


@pytest.fixture
def watching() -> Watching:
    """Nobody yet."""
    return Watching()


async def test_a_watcher_hears_of_its_job_until_the_end_and_nothing_after(watching: Watching) -> None:
    socket, other = Socket(), Socket()
    assert watching.watch(socket.connection, "c-1", "job-1")
    assert watching.watch(other.connection, "c-2", "job-2")
    watching.deliver([PROGRESS, COMPLETED, PROGRESS, COMPLETED])
    assert socket.frames == [
        {"type": "explanation_progress", "job_id": "job-1", "progress": 0.5},
        {
            "type": "explanation_completed",
            "job_id": "job-1",
            "symbol": "AAPL",
            "explanation": {"summary": "up"},
        },
    ]
    assert other.frames == []
    assert not watching.is_watched(socket.connection, "c-1")
    assert watching.is_watched(other.connection, "c-2")


async def test_two_jobs_of_one_computation_are_both_told(watching: Watching) -> None:
    socket = Socket()
    for job in ("job-1", "job-2", "job-2"):
        assert watching.watch(socket.connection, "c-1", job)
    watching.deliver([FAILED])
    assert [(frame["job_id"], frame["reason"]) for frame in socket.frames] == [
        ("job-1", "no model"),
        ("job-2", "no model"),
    ]


async def test_followers_hear_of_progress_and_completion_without_a_job_id(watching: Watching) -> None:
    socket, left = Socket(), Socket()
    watching.follow(socket.connection, ["AAPL", "MSFT"])
    watching.follow(left.connection, ["AAPL"])
    watching.unfollow(left.connection, ["AAPL", "IBM"])
    watching.deliver([PROGRESS, FAILED, COMPLETED])
    assert [frame["type"] for frame in socket.frames] == ["explanation_progress", "explanation_completed"]
    assert not any("job_id" in frame for frame in socket.frames)
    assert left.frames == []


async def test_watches_are_bounded_by_computations(watching: Watching) -> None:
    socket = Socket()
    assert all(watching.watch(socket.connection, f"c-{n}", "job") for n in range(MAX_WATCHES))
    assert not watching.watch(socket.connection, "one more", "job")
    assert watching.watch(socket.connection, "c-0", "another job of the same")
    watching.deliver([News("c-0", "AAPL", "explanation_failed", b'{"reason":"x"}')])
    assert watching.watch(socket.connection, "one more", "job")


async def test_a_connection_that_is_gone_leaves_nothing_behind(watching: Watching) -> None:
    socket = Socket()
    watching.watch(socket.connection, "c-1", "job-1")
    watching.follow(socket.connection, ["AAPL"])
    watching.remove(socket.connection)
    watching.remove(socket.connection)
    watching.deliver([COMPLETED])
    assert socket.frames == []
    assert {name: held for name, held in vars(watching).items() if held} == {}
