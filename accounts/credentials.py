"""From what a request carries to who is calling. REST and sockets ask here; there is no second rule.

A credential that is present and bad is refused; it never falls back to anonymous.
"""

from __future__ import annotations

import hmac
import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from accounts import keys
from accounts.models import ApiKey

logger = logging.getLogger(__name__)

ANONYMOUS_TIER = "anonymous"
_LONGEST_CREDENTIAL = 4096


class CredentialRefused(Exception):
    """The credential is bad. `reason` is for logs: malformed, unknown, revoked, expired, inactive."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, and with which rights. An anonymous caller has no account and no key."""

    tier: str
    scopes: frozenset[str]
    account_id: int | None = None
    key_id: uuid.UUID | None = None

    # What Django and DRF ask of a `request.user`.
    is_active = True

    @property
    def is_authenticated(self) -> bool:
        """True for a caller that showed a good credential."""
        return self.key_id is not None


ANONYMOUS = Caller(tier=ANONYMOUS_TIER, scopes=frozenset({"predictions:read"}))


def anonymous() -> Caller:
    """The caller without a credential; a function, since that is what DRF's setting wants."""
    return ANONYMOUS


def find_credential(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The credential among ASGI `headers`: ``X-API-Key``, then ``Authorization: Bearer``; None without one.

    Raises `CredentialRefused` for an Authorization of another scheme.
    """
    found = dict(reversed(list(headers)))
    return choose_credential(
        found[b"x-api-key"].decode("latin-1") if b"x-api-key" in found else None,
        found[b"authorization"].decode("latin-1") if b"authorization" in found else None,
    )


def choose_credential(api_key: str | None, authorization: str | None) -> str | None:
    """As `find_credential`, from the two header values; a header that is there but empty is a bad one."""
    if api_key is not None:
        return api_key.strip()
    if authorization is None:
        return None
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() != "bearer":
        raise CredentialRefused(
            "malformed", "Authorization must be `Bearer <key>`; or send the key as X-API-Key."
        )
    return value.strip()


def authenticate(credential: str, *, now: datetime) -> Caller:
    """Return the caller behind `credential`; raises `CredentialRefused`. One query for a well-formed key."""
    try:
        if len(credential) > _LONGEST_CREDENTIAL:
            raise keys.MalformedKey("far too long")
        parsed = keys.parse_key(credential)
    except keys.MalformedKey as error:
        raise _refused("malformed", f"The API key is malformed: {error}.") from None
    key = ApiKey.objects.select_related("account", "tier").filter(pk=parsed.id).first()
    # An unknown id is compared as well, so that its answer takes as long as a wrong secret's.
    if not hmac.compare_digest(key.digest if key else "0" * 64, parsed.digest) or key is None:
        raise _refused("unknown", "The API key is not known here.")
    _check_usable(key, now)
    return Caller(
        tier=key.tier.name,
        scopes=frozenset(key.scopes),
        account_id=key.account_id,
        key_id=key.pk,
    )


def _check_usable(key: ApiKey, now: datetime) -> None:
    if key.revoked_at is not None:
        raise _refused("revoked", "The API key has been revoked.", key)
    if not key.is_usable(now):
        raise _refused("expired", "The API key has expired.", key)
    if not key.account.is_active:
        raise _refused("inactive", "The account of this API key is switched off.", key)


def _refused(reason: str, detail: str, key: ApiKey | None = None) -> CredentialRefused:
    logger.info("authentication failed: %s, key %s", reason, key.public_id if key else "-")
    return CredentialRefused(reason, detail)
