"""Frames are read as they were written, or refused before their body is read."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from explanations import frames
from explanations.frames import Failure, FrameRefused, Head, Kind, Report


@given(st.sampled_from(Kind), st.integers(0, 2**32 - 1), st.binary(max_size=100))
def test_a_frame_is_read_as_it_was_written(kind: Kind, turn: int, body: bytes) -> None:
    frame = frames.encode(kind, turn, body)
    assert frames.decode_head(frame[: frames.HEAD_BYTES]) == Head(len(body), kind, turn)
    assert frame[frames.HEAD_BYTES :] == body


def test_a_body_that_is_too_long_is_refused_on_both_sides() -> None:
    longest = frames.encode(Kind.ORDER, 1, bytes(frames.MAX_BODY_BYTES))
    assert frames.decode_head(longest[: frames.HEAD_BYTES]).size == frames.MAX_BODY_BYTES
    with pytest.raises(FrameRefused, match="at most"):
        frames.encode(Kind.ORDER, 1, bytes(frames.MAX_BODY_BYTES + 1))
    with pytest.raises(FrameRefused, match="a body of 4294967295 bytes"):
        frames.decode_head(b"\xff" * frames.HEAD_BYTES)


def test_a_kind_that_does_not_exist_is_refused() -> None:
    with pytest.raises(FrameRefused, match="there is no kind 9"):
        frames.decode_head(b"\0\0\0\0\x09\0\0\0\0")


@pytest.mark.parametrize(
    ("given_share", "share"), [(0.25, 0.25), (7, 1.0), (-1, 0.0), (math.nan, 0.0), (math.inf, 1.0)]
)
def test_a_reported_share_is_clamped(given_share: float, share: float) -> None:
    assert frames.decode_body(frames.make_report(given_share, "x"), Report).progress == share


@given(st.text(max_size=3_000))
@example("\x00\n\ud800\u2028 ")
@example("")
def test_any_text_becomes_a_line_and_is_read_back(text: str) -> None:
    report = frames.decode_body(frames.make_report(0.5, text), Report)
    assert 1 <= len(report.stage) <= frames.MAX_LINE
    assert report.stage.isprintable()
    failure = frames.decode_body(frames.make_failure(text, text), Failure)
    assert failure.reason == report.stage


def test_of_a_long_trace_the_end_is_kept_and_the_frame_fits() -> None:
    body = frames.make_failure("x", "\U0001f4a5" * 100_000 + "KeyError: 7")
    assert frames.decode_body(body, Failure).trace.endswith("KeyError: 7")
    frames.encode(Kind.FAILURE, 1, body)
    frames.encode(Kind.FAILURE, 1, frames.make_failure("\ud800" * 600, "\ud800" * 100_000))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[]", b'{"progress": 2, "stage": "x"}', b'{"progress": 0.5, "stage": ""}']
)
def test_a_body_that_does_not_fit_is_refused(body: bytes) -> None:
    with pytest.raises(FrameRefused):
        frames.decode_body(body, Report)
