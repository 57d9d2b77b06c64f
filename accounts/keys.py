"""The form of an API key: making, checking and digesting one. Pure; randomness comes in as an argument.

``pgw_{live|test}_{22 base62 of the key's UUID}_{32 base62 secret}{6 base62 CRC32}``: the prefix tells
scanners what leaked, the UUID is the handle for look-ups and logs, the secret carries 190 random bits,
and the checksum over everything before it exposes junk without a database query.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
import secrets
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Environment = Literal["live", "test"]

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_ID_LENGTH, _SECRET_LENGTH, _CHECKSUM_LENGTH = 22, 32, 6
_FORM = re.compile(
    rf"pgw_(live|test)_([0-9A-Za-z]{{{_ID_LENGTH}}})_[0-9A-Za-z]{{{_SECRET_LENGTH}}}"
    rf"([0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})"
)

KEY_PREFIX = "pgw_"


class MalformedKey(Exception):
    """The text is no key of ours: wrong form or wrong checksum."""


class WrongChecksum(MalformedKey):
    """It has the form of a key, but was cut or mistyped."""


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """What a well-formed key says about itself, before anything is looked up."""

    id: uuid.UUID
    environment: str
    digest: str


def make_key(
    key_id: uuid.UUID,
    environment: Environment,
    *,
    choose: Callable[[str], str] = secrets.choice,
) -> str:
    """Return a new key for `key_id`; it must be shown once and stored only as `digest_key` of it."""
    secret = "".join(choose(_ALPHABET) for _ in range(_SECRET_LENGTH))
    body = f"pgw_{environment}_{_to_base62(key_id.int, _ID_LENGTH)}_{secret}"
    return body + _checksum(body)


def parse_key(text: str) -> ParsedKey:
    """Check form and checksum of `text`; raises `MalformedKey`, which never quotes the text."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise MalformedKey("not of the form pgw_live_…")
    if not hmac.compare_digest(_checksum(text[:-_CHECKSUM_LENGTH]), match[3]):
        raise WrongChecksum("the checksum does not match: the key was cut or mistyped")
    number = _from_base62(match[2])
    if number >= 1 << 128:
        raise MalformedKey("not of the form pgw_live_…")
    return ParsedKey(uuid.UUID(int=number), match[1], digest_key(text))


def digest_key(text: str) -> str:
    """SHA-256 of the whole key, 64 hex characters. 190 random bits need no slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()


@functools.lru_cache(maxsize=16_384)
def public_id(key_id: uuid.UUID) -> str:
    """The handle of a key that may be shown and logged: the 22 characters of its UUID."""
    return _to_base62(key_id.int, _ID_LENGTH)


def key_id_of(text: str) -> uuid.UUID | None:
    """The id behind a public id; None if it is none."""
    if not re.fullmatch(rf"[0-9A-Za-z]{{{_ID_LENGTH}}}", text):
        return None
    number = _from_base62(text)
    return uuid.UUID(int=number) if number < 1 << 128 else None


def _checksum(body: str) -> str:
    return _to_base62(zlib.crc32(body.encode("ascii")), _CHECKSUM_LENGTH)


def _to_base62(number: int, length: int) -> str:
    characters = []
    for _ in range(length):
        number, value = divmod(number, 62)
        characters.append(_ALPHABET[value])
    return "".join(reversed(characters))


def _from_base62(text: str) -> int:
    number = 0
    for character in text:
        number = number * 62 + _VALUES[character]
    return number
