"""The channel-layer message about explanations. Pure."""

from __future__ import annotations

import pytest

from realtime import batches, news


def test_a_message_is_read_as_it_was_written() -> None:
    told = [
        news.news_of("c-1", "AAPL", "explanation_progress", progress=0.5, stage="fitting"),
        news.news_of("c-2", "MSFT", "explanation_failed", reason="no model"),
    ]
    assert news.decode(news.encode(told)) == told
    assert [one.is_final for one in told] == [False, True]
    assert told[0].body == b'{"progress":0.5,"stage":"fitting"}'


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"type": batches.TYPE, "updates": []},
        {"type": news.TYPE},
        {"type": news.TYPE, "news": [[1]]},
    ],
)
def test_anything_else_is_refused(message: dict[str, object]) -> None:
    with pytest.raises((KeyError, ValueError, TypeError)):
        news.decode(message)
