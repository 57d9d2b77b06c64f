"""The channel-layer message about explanations. Pure."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import batches, news
from tests.examples import examples


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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(
    told=st.lists(
        st.builds(
            news.News,
            st.text(max_size=40),
            st.text(max_size=20),
            st.sampled_from(["explanation_progress", "explanation_completed", "explanation_failed"]),
            st.binary(max_size=50),
            st.text(max_size=60),
        )
    )
)
@examples(100)
def test_every_message_is_read_as_it_was_written(told: list[news.News]) -> None:
    assert news.decode(news.encode(told)) == told


@given(fields=JSON)
@examples(200)
def test_whatever_else_comes_is_read_or_refused(fields: object) -> None:
    with contextlib.suppress(KeyError, ValueError, TypeError):
        assert all(isinstance(one, news.News) for one in news.decode({"type": news.TYPE, "news": fields}))
