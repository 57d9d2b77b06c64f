"""Access tokens: the one place that signs and verifies them, for REST, hot reads and sockets alike.

A token says who logged in and by which login; whether that login still stands is `accounts.sessions`' to say.
Does no I/O and takes the clock as an argument: PyJWT checks form, signature, issuer and audience, this module
the times.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import jwt
from django.conf import settings

from accounts.keys import KEY_PREFIX

LEEWAY_S = 5
"""How far the clocks of two processes may be apart."""

LONGEST_TOKEN = 4096

_ALGORITHM = "HS256"
_TYPE = "at+jwt"
_LABEL = b"prediction-gateway access token v1"
_REQUIRED = ["iss", "aud", "sub", "sid", "jti", "iat", "exp"]
_USER_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)

Reason = Literal["malformed", "signature", "expired", "claims"]

_DETAILS: dict[Reason, str] = {
    "malformed": "The access token is malformed.",
    "signature": "The access token was not signed here.",
    "expired": "The access token has expired; refresh it.",
    "claims": "The access token is not meant for this gateway.",
}


class InvalidToken(Exception):
    """The text is no access token that counts now. `detail` is for the caller and never quotes it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(_DETAILS[reason])
        self.reason = reason
        self.detail = _DETAILS[reason]


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a good token says: who, by which login, until when."""

    user_id: int
    family_id: uuid.UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The secrets by their kid: one signs, all verify."""

    signing_kid: str
    secrets: Mapping[str, bytes]

    @classmethod
    def from_settings(cls, entries: tuple[str, ...], secret_key: str) -> SigningKeys:
        """The keys of `entries` (``kid:secret``, the first one signs); without any, one from `secret_key`."""
        if not entries:
            derived = hmac.digest(secret_key.encode(), _LABEL, "sha256")
            kid = hashlib.sha256(derived).hexdigest()[:8]
            return cls(kid, {kid: derived})
        pairs = [entry.partition(":") for entry in entries]
        return cls(pairs[0][0], {kid: secret.encode() for kid, _, secret in pairs})

    def __repr__(self) -> str:
        return f"SigningKeys({', '.join(self.secrets)})"


_cached_keys = functools.lru_cache(maxsize=8)(SigningKeys.from_settings)


def current_keys() -> SigningKeys:
    """The keys that the settings name."""
    return _cached_keys(tuple(settings.GATEWAY.jwt_keys), settings.SECRET_KEY)


def issue_access_token(
    user_id: int, family_id: uuid.UUID, *, now: datetime, not_after: datetime | None = None
) -> str:
    """A token of the login `family_id`, good for ``ACCESS_TOKEN_S`` but not beyond `not_after`."""
    keys = current_keys()
    expires_at = now + timedelta(seconds=settings.GATEWAY.access_token_s)
    if not_after is not None:
        expires_at = min(expires_at, not_after)
    claims = {
        "iss": settings.GATEWAY.jwt_issuer,
        "aud": settings.GATEWAY.jwt_audience,
        "sub": str(user_id),
        "sid": str(family_id),
        "jti": str(uuid.uuid4()),
        "iat": int(now.timestamp()),
        "exp": int(expires_at.timestamp()),
    }
    header = {"typ": _TYPE, "kid": keys.signing_kid}
    return jwt.encode(claims, keys.secrets[keys.signing_kid], algorithm=_ALGORITHM, headers=header)


def verify_access_token(text: str, *, now: datetime) -> AccessClaims:
    """What the token `text` says, if it counts at `now`; raises `InvalidToken`."""
    # Other characters cannot stand in a token, and PyJWT would trip over half a surrogate pair.
    if len(text) > LONGEST_TOKEN or not text.isascii():
        raise InvalidToken("malformed")
    decoded = _decode(text)
    if decoded["header"].get("typ") != _TYPE:
        raise InvalidToken("claims")
    return _check_claims(decoded["payload"], now.timestamp())


def looks_like_jwt(text: str) -> bool:
    """True for what was meant as a token rather than an API key, which has no dots and begins otherwise."""
    return not text.startswith(KEY_PREFIX) and (text.startswith("eyJ") or text.count(".") == 2)


def _decode(text: str) -> dict[str, Any]:
    """Header and payload of a token that one of our keys signed for us."""
    try:
        kid = jwt.get_unverified_header(text).get("kid")
        secret = current_keys().secrets.get(kid) if isinstance(kid, str) else None
        if secret is None:
            raise InvalidToken("signature")
        return jwt.decode_complete(
            text,
            secret,
            algorithms=[_ALGORITHM],
            audience=settings.GATEWAY.jwt_audience,
            issuer=settings.GATEWAY.jwt_issuer,
            # The times are checked against the caller's clock.
            options={
                "require": _REQUIRED,
                "strict_aud": True,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
        raise InvalidToken("signature") from None
    except jwt.DecodeError:
        raise InvalidToken("malformed") from None
    except jwt.InvalidTokenError:
        raise InvalidToken("claims") from None


def _check_claims(claims: Mapping[str, Any], now_s: float) -> AccessClaims:
    issued_s, expires_s = _seconds(claims["iat"]), _seconds(claims["exp"])
    if issued_s > now_s + LEEWAY_S:
        raise InvalidToken("claims")
    if expires_s + LEEWAY_S <= now_s:
        raise InvalidToken("expired")
    if not _USER_ID.fullmatch(claims["sub"]):
        raise InvalidToken("claims")
    try:
        return AccessClaims(int(claims["sub"]), _uuid(claims["sid"]), datetime.fromtimestamp(expires_s, UTC))
    except (ValueError, OverflowError, OSError):
        raise InvalidToken("claims") from None


def _seconds(value: Any) -> int:
    if type(value) is not int:  # a bool is an int too
        raise InvalidToken("claims")
    return value


def _uuid(value: Any) -> uuid.UUID:
    """The id whose one canonical form `value` is; raises `ValueError`."""
    found = uuid.UUID(value) if isinstance(value, str) else None
    if found is None or str(found) != value:
        raise ValueError("no UUID")
    return found
