"""Every code means something, closes with a code that is explained, and names the numbers of the protocol."""

from __future__ import annotations

import pytest

from realtime.protocol import limits
from realtime.protocol.codes import CLOSES, ERRORS, Close, Code, Rejected, Warned


def test_the_close_codes_are_those_of_the_contract() -> None:
    assert {int(code) for code in Close} == {1012, 4400, 4401, 4403, 4408, 4409, 4413, 4429, 4503}


def test_every_close_code_says_what_it_means_and_when_to_come_back() -> None:
    assert set(CLOSES) == set(Close)
    for close in CLOSES.values():
        assert close.meaning.endswith(".")
        assert close.reconnect


def test_every_error_code_says_what_it_means() -> None:
    assert set(ERRORS) == set(Code)
    assert all(meaning.meaning.endswith(".") for meaning in ERRORS.values())


def test_a_closing_error_names_a_close_code_that_is_explained() -> None:
    closing = {meaning.closes for meaning in ERRORS.values()} - {None}
    assert closing <= set(CLOSES)
    # Malformed frames close by their number alone, whatever the last of them was.
    assert set(CLOSES) - closing == {Close.PROTOCOL_ERROR}


@pytest.mark.parametrize("code", [*Code, *Warned, *Rejected])
def test_a_code_is_sent_as_its_own_name(code: Code | Warned | Rejected) -> None:
    assert code == code.name


@pytest.mark.parametrize(
    ("meaning", "number"),
    [
        (CLOSES[Close.TIMEOUT].meaning, f"{limits.AUTH_TIMEOUT_S:.0f} seconds"),
        (CLOSES[Close.TIMEOUT].meaning, f"{limits.IDLE_S / 60:.0f} minutes"),
        (CLOSES[Close.TOO_BIG].meaning, f"{limits.MAX_MESSAGE_BYTES // 1024} KiB"),
        (CLOSES[Close.TOO_FAST].meaning, f"{limits.FRAMES_IN_PER_S} frames a second"),
        (CLOSES[Close.SLOW_READER].meaning, f"{limits.GIVEN_UP_AFTER_S:.0f} seconds"),
        (ERRORS[Code.MESSAGE_TOO_BIG].meaning, f"{limits.MAX_MESSAGE_BYTES // 1024} KiB"),
        (ERRORS[Code.TOO_FAST].meaning, f"{limits.FRAMES_IN_PER_S} a second"),
        (ERRORS[Code.AUTH_TIMEOUT].meaning, f"{limits.AUTH_TIMEOUT_S:.0f} seconds"),
        (ERRORS[Code.IDLE].meaning, f"{limits.IDLE_S / 60:.0f} minutes"),
        (ERRORS[Code.SLOW_READER].meaning, f"{limits.GIVEN_UP_AFTER_S:.0f} seconds"),
        (ERRORS[Code.TOO_MANY_WATCHES].meaning, f"{limits.MAX_WATCHES} jobs"),
    ],
)
def test_what_a_code_means_names_the_number_that_the_server_uses(meaning: str, number: str) -> None:
    assert number in meaning


def test_the_bad_frame_that_closes_is_the_one_after_those_that_are_allowed() -> None:
    assert limits.MAX_BAD_FRAMES == 10
    for code in (Code.INVALID_JSON, Code.INVALID_MESSAGE):
        assert "eleventh" in ERRORS[code].meaning
        assert ERRORS[code].closes is None
