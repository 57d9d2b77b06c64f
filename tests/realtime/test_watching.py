"""Who is told of which explanation: watchers of their own jobs, followers of symbols, and nobody twice."""

from __future__ import annotations

import pytest

from realtime import news
from realtime.news import News
from realtime.protocol.limits import MAX_WATCHES
from realtime.watching import Watching
from tests.realtime.peers import ManualAlarms, Reader

PROGRESS = news.news_of("c-1", "AAPL", "explanation_progress", progress=0.5)
COMPLETED = news.news_of("c-1", "AAPL", "explanation_completed", symbol="AAPL", explanation={"summary": "up"})
FAILED = news.news_of("c-1", "AAPL", "explanation_failed", reason="no model")


@pytest.fixture
def watching() -> Watching:
    """Nobody yet."""
    return Watching()


def make_reader() -> Reader:
    """A socket."""
    return Reader(ManualAlarms())


def test_a_watcher_hears_of_its_job_until_the_end_and_nothing_after(watching: Watching) -> None:
    reader, other = make_reader(), make_reader()
    assert watching.watch(reader.connection, "c-1", "job-1")
    assert watching.watch(other.connection, "c-2", "job-2")
    assert watching.has_watches(reader.connection)
    watching.deliver([PROGRESS, COMPLETED, PROGRESS, COMPLETED])
    assert reader.frames == [
        {"type": "explanation_progress", "job_id": "job-1", "progress": 0.5},
        {
            "type": "explanation_completed",
            "job_id": "job-1",
            "symbol": "AAPL",
            "explanation": {"summary": "up"},
        },
    ]
    assert other.frames == []
    assert not watching.is_watched(reader.connection, "c-1")
    assert not watching.has_watches(reader.connection)
    assert watching.is_watched(other.connection, "c-2")


def test_two_jobs_of_one_computation_are_both_told(watching: Watching) -> None:
    reader = make_reader()
    for job in ("job-1", "job-2", "job-2"):
        assert watching.watch(reader.connection, "c-1", job)
    watching.deliver([FAILED])
    assert [(frame["job_id"], frame["reason"]) for frame in reader.frames] == [
        ("job-1", "no model"),
        ("job-2", "no model"),
    ]


def test_several_watchers_of_one_computation_end_each_for_itself(watching: Watching) -> None:
    first, second = make_reader(), make_reader()
    for reader, job in ((first, "job-1"), (second, "job-2")):
        watching.watch(reader.connection, "c-1", job)
    watching.tell(first.connection, COMPLETED)
    assert (len(first.frames), second.frames) == (1, [])
    watching.deliver([COMPLETED])
    assert (len(first.frames), len(second.frames)) == (1, 1)
    assert second.frames[0]["job_id"] == "job-2"


def test_the_answer_to_a_watch_is_told_to_the_one_who_asked_with_its_id(watching: Watching) -> None:
    reader, other = make_reader(), make_reader()
    watching.watch(reader.connection, "c-1", "job-1")
    watching.watch(other.connection, "c-1", "job-2")
    watching.tell(reader.connection, PROGRESS, "7")
    assert [(frame["job_id"], frame["id"]) for frame in reader.frames] == [("job-1", "7")]
    assert other.frames == []
    watching.deliver([PROGRESS])
    assert "id" not in reader.frames[1]


def test_whoever_does_not_watch_is_told_nothing(watching: Watching) -> None:
    reader = make_reader()
    for one in (PROGRESS, COMPLETED):
        watching.tell(reader.connection, one)
    watching.unfollow(reader.connection, ["AAPL"])
    assert reader.frames == []
    assert not watching.is_watched(reader.connection, "c-1")
    assert not watching.has_watches(reader.connection)


def test_followers_hear_of_progress_and_completion_without_a_job_id(watching: Watching) -> None:
    reader, left, stays = make_reader(), make_reader(), make_reader()
    watching.follow(reader.connection, ["AAPL", "MSFT"])
    for one in (left, stays):
        watching.follow(one.connection, ["AAPL"])
    watching.unfollow(left.connection, ["AAPL", "IBM"])
    watching.deliver([PROGRESS, FAILED, COMPLETED])
    for one in (reader, stays):
        assert [frame["type"] for frame in one.frames] == ["explanation_progress", "explanation_completed"]
        assert not any("job_id" in frame for frame in one.frames)
    assert reader.wire.got == stays.wire.got
    assert left.frames == []


def test_watches_are_bounded_by_computations(watching: Watching) -> None:
    reader = make_reader()
    assert all(watching.watch(reader.connection, f"c-{n}", "job") for n in range(MAX_WATCHES))
    assert not watching.watch(reader.connection, "one more", "job")
    assert watching.watch(reader.connection, "c-0", "another job of the same")
    watching.deliver([News("c-0", "AAPL", "explanation_failed", b'{"reason":"x"}')])
    assert watching.watch(reader.connection, "one more", "job")


def test_a_connection_that_is_gone_leaves_nothing_behind(watching: Watching) -> None:
    reader = make_reader()
    watching.watch(reader.connection, "c-1", "job-1")
    watching.follow(reader.connection, ["AAPL"])
    watching.remove(reader.connection)
    watching.remove(reader.connection)
    watching.deliver([COMPLETED])
    assert reader.frames == []
    assert {name: held for name, held in vars(watching).items() if held} == {}


def test_a_peer_that_goes_while_others_are_told_disturbs_nobody(watching: Watching) -> None:
    readers = [make_reader() for _ in range(3)]
    for number, reader in enumerate(readers):
        watching.watch(reader.connection, "c-1", f"job-{number}")
        watching.follow(reader.connection, ["AAPL"])
    readers[0].connection.on_lost()
    watching.deliver([COMPLETED])
    assert [len(reader.frames) for reader in readers] == [0, 2, 2]
