"""A key has one form, says which row it belongs to, and betrays every typing error by its checksum."""

from __future__ import annotations

import hashlib
import itertools
import re
import string
import uuid
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.keys import (
    KEY_PREFIX,
    Environment,
    MalformedKey,
    digest_key,
    make_key,
    parse_key,
    public_id,
)

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
KEY_ID = uuid.UUID("0192f0c1-2a3b-7c4d-8e5f-60718293a4b5")
LARGEST = uuid.UUID(int=2**128 - 1)


def in_turn(start: int = 0) -> Callable[[str], str]:
    """A choice that walks through the alphabet: what randomness is in these tests."""
    places = itertools.count(start)
    return lambda alphabet: alphabet[next(places) % len(alphabet)]


def base62(number: int, length: int) -> str:
    """`number` written with the digits of keys; an independent reckoning."""
    return "".join(BASE62[number // 62**place % 62] for place in reversed(range(length)))


def sealed(body: str) -> str:
    """`body` with the checksum that belongs to it."""
    return body + base62(zlib.crc32(body.encode()), 6)


KEY = make_key(KEY_ID, "live", choose=in_turn())


@pytest.mark.parametrize("environment", ["live", "test"])
def test_a_key_has_prefix_id_secret_and_checksum(environment: Environment) -> None:
    key = make_key(KEY_ID, environment)
    form = rf"pgw_{environment}_([0-9A-Za-z]{{22}})_([0-9A-Za-z]{{32}})([0-9A-Za-z]{{6}})"
    match = re.fullmatch(form, key)
    assert match is not None
    assert match[1] == public_id(KEY_ID) == base62(KEY_ID.int, 22)
    assert key == sealed(key[:-6])
    assert key.startswith(KEY_PREFIX)


def test_the_secret_is_what_the_injected_choice_gives() -> None:
    assert f"_{BASE62[:32]}" in KEY
    assert make_key(KEY_ID, "live", choose=in_turn()) == KEY
    other = make_key(KEY_ID, "live", choose=in_turn(1))
    assert f"_{BASE62[1:33]}" in other
    assert other[-6:] != KEY[-6:]


def test_the_choice_is_asked_once_per_character_and_sees_all_of_base62() -> None:
    asked: list[str] = []

    def choose(alphabet: str) -> str:
        asked.append(alphabet)
        return alphabet[-1]

    assert f"_{'z' * 32}" in make_key(KEY_ID, "test", choose=choose)
    assert asked == [BASE62] * 32


def test_two_keys_for_one_id_differ_without_an_injected_choice() -> None:
    assert make_key(KEY_ID, "live") != make_key(KEY_ID, "live")


@given(
    number=st.one_of(
        st.sampled_from([0, 1, 61, 62, 2**64, 2**128 - 1]), st.integers(min_value=0, max_value=2**128 - 1)
    ),
    environment=st.sampled_from(["live", "test"]),
    start=st.integers(min_value=0, max_value=61),
)
def test_every_uuid_comes_back_from_its_key(number: int, environment: Environment, start: int) -> None:
    key = make_key(uuid.UUID(int=number), environment, choose=in_turn(start))
    parsed = parse_key(key)
    assert parsed.id == uuid.UUID(int=number)
    assert parsed.environment == environment
    assert parsed.digest == digest_key(key)
    assert len(key) == len("pgw_live_") + 22 + 1 + 32 + 6


def test_the_smallest_and_the_largest_id_fill_22_characters() -> None:
    assert public_id(uuid.UUID(int=0)) == "0" * 22
    assert public_id(LARGEST) == base62(2**128 - 1, 22)
    assert len(public_id(LARGEST)) == 22
    assert parse_key(make_key(uuid.UUID(int=0), "live")).id == uuid.UUID(int=0)
    assert parse_key(make_key(LARGEST, "test")).id == LARGEST


@pytest.mark.parametrize("number", [2**128, 2**128 + 1, 62**22 - 1])
def test_an_id_beyond_128_bits_is_refused_although_its_checksum_is_right(number: int) -> None:
    with pytest.raises(MalformedKey, match="form"):
        parse_key(sealed(f"pgw_live_{base62(number, 22)}_{BASE62[:32]}"))


def test_the_largest_id_of_128_bits_is_accepted_in_the_same_hand_made_form() -> None:
    assert parse_key(sealed(f"pgw_live_{base62(2**128 - 1, 22)}_{BASE62[:32]}")).id == LARGEST


@pytest.mark.parametrize("place", range(len(KEY)))
def test_every_change_of_one_character_is_refused(place: int) -> None:
    for character in set(BASE62 + "_- \n\x00é") - {KEY[place]}:
        with pytest.raises(MalformedKey):
            parse_key(KEY[:place] + character + KEY[place + 1 :])


@pytest.mark.parametrize("place", [place for place, (a, b) in enumerate(itertools.pairwise(KEY)) if a != b])
def test_swapped_neighbours_are_refused(place: int) -> None:
    with pytest.raises(MalformedKey):
        parse_key(KEY[:place] + KEY[place + 1] + KEY[place] + KEY[place + 2 :])


@pytest.mark.parametrize("length", range(len(KEY)))
def test_a_key_that_was_cut_is_refused(length: int) -> None:
    with pytest.raises(MalformedKey):
        parse_key(KEY[:length])


def test_a_wrong_checksum_is_told_from_a_wrong_form() -> None:
    with pytest.raises(MalformedKey, match="checksum"):
        parse_key(KEY[:-1] + ("0" if KEY[-1] != "0" else "1"))
    with pytest.raises(MalformedKey, match="form"):
        parse_key(KEY[:-1])


@pytest.mark.parametrize(
    "start",
    ["", "pgw_", "pgw_prod_", "pgw_LIVE_", "PGW_live_", "pgw-live-", "sk_live_", " pgw_live_", "pgw_live__"],
)
def test_another_prefix_is_refused_although_its_checksum_is_right(start: str) -> None:
    with pytest.raises(MalformedKey, match="form"):
        parse_key(sealed(f"{start}{base62(KEY_ID.int, 22)}_{BASE62[:32]}"))


@pytest.mark.parametrize("extra", ["\n", " ", "\r\n", "0", "\x00"])
def test_nothing_may_stand_before_or_after_a_key(extra: str) -> None:
    for text in (KEY + extra, extra + KEY):
        with pytest.raises(MalformedKey):
            parse_key(text)


def test_digits_of_other_scripts_are_no_base62() -> None:
    assert "٣".isdigit()
    with pytest.raises(MalformedKey, match="form"):
        parse_key(KEY.replace("3", "٣"))


@given(st.text(max_size=100))
def test_any_other_text_is_refused_as_malformed(text: str) -> None:
    with pytest.raises(MalformedKey):
        parse_key(text)


@pytest.mark.parametrize(
    "text",
    [
        KEY[:-1] + "é",
        KEY[:-6] + "000000",
        "hunter2-is-my-password",
        sealed(f"pgw_live_{base62(2**128, 22)}_{BASE62[:32]}"),
    ],
)
def test_the_message_never_contains_the_key(text: str) -> None:
    with pytest.raises(MalformedKey) as raised:
        parse_key(text)
    message = str(raised.value)
    pieces = {text[place : place + 6] for place in range(len("pgw_live_"), len(text) - 5)}
    assert not [piece for piece in pieces if piece in message]
    assert raised.value.__cause__ is None


def test_the_digest_is_the_sha256_of_the_whole_key_in_64_hex_characters() -> None:
    digest = digest_key(KEY)
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert digest == hashlib.sha256(KEY.encode()).hexdigest()
    assert digest_key(make_key(KEY_ID, "live", choose=in_turn(1))) != digest
    assert parse_key(KEY).digest == digest


def test_what_was_parsed_holds_no_secret() -> None:
    assert BASE62[:32] not in repr(parse_key(KEY))
