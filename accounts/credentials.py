"""From what a request carries to who is calling. REST and sockets ask here; there is no second rule.

A credential that is present and bad is refused; it never falls back to anonymous.
"""

from __future__ import annotations

import hmac
import logging
import uuid
from collections.abc import Iterable
from datetime import datetime

import msgspec
from django.db import Error as DatabaseFailure

from accounts import directory, failures, keys, networks, sessions, tokens
from accounts.callers import ANONYMOUS, Caller
from accounts.key_records import KeyRecord
from accounts.roles import ROLE_SCOPES
from observability import blocking

logger = logging.getLogger(__name__)

_LONGEST_CREDENTIAL = 4096


class CredentialRefused(Exception):
    """The credential is bad. `reason` is for logs and counts, `detail` for the caller; neither quotes it.

    Reasons: malformed, checksum, unknown, revoked, expired, inactive, network, token.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


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
            "malformed", "Authorization must be `Bearer <key or token>`; or send the key as X-API-Key."
        )
    return value.strip()


def authenticate(credential: str, *, now: datetime, address: str) -> Caller:
    """Return the caller behind `credential`, which came from `address`; raises `CredentialRefused`.

    No query for a key in memory, one for another key or a token; none for what has no proper form. Counts
    refusals. Raises Django's database errors.
    """
    if tokens.looks_like_jwt(credential):
        return _authenticate_person(credential, now, address)
    parsed = _parse_key(credential, address)
    # Not by its id: whoever guesses the secret of a key in memory would be told apart by how long it takes.
    record = directory.current().remembered_digest(parsed.digest) or _read_record(parsed.id, parsed.digest)
    return _admit(parsed, record, now, address)


async def look_up(credential: str, *, now: datetime, address: str) -> Caller:
    """As `authenticate`, in a thread. Raises `TimeoutError` too, where the database does not answer in time.

    A key that was good when it was last heard from is let in then, as while the database is away.
    """
    try:
        return await blocking.run(authenticate, credential, now=now, address=address)
    except TimeoutError:
        record = directory.current().last_known_digest(keys.digest_key(credential))
        if record is None:
            raise
        return _let_in(record, now, address)


def authenticate_from_memory(credential: str, *, now: datetime, address: str) -> Caller | None:
    """As `authenticate`, without I/O: None where that would have to ask the database.

    So it is for a wrong secret of a key in memory: a guess, which is counted where it is looked up.
    """
    if tokens.looks_like_jwt(credential):
        return None
    known = directory.current().remembered_digest(keys.digest_key(credential))
    if known is not None:
        return _let_in(known, now, address)
    _parse_key(credential, address)  # what has no proper form is refused here
    return None


def known_caller(digest: str, *, now: datetime, address: str) -> Caller | None:
    """The caller behind a key that this process knows, by `keys.digest_key`; else None, and not counted.

    Nobody can choose a digest, so neither form nor checksum of the key is looked at.
    """
    record = directory.current().remembered_digest(digest)
    if record is None or _find_fault(record, now, address) is not None:
        return None
    return record.caller


def authenticate_again(caller: Caller, *, now: datetime, address: str) -> Caller:
    """Who `caller` is now; raises `CredentialRefused` if they may not call any more. At most one query."""
    if caller.key_id is not None:
        return authenticate_key_id(caller.key_id, now=now, address=address)
    if caller.family_id is None:
        return caller
    again = authenticate_family(caller.family_id, now=now, address=address)
    return msgspec.structs.replace(again, expires_at=caller.expires_at)


def authenticate_key_id(key_id: uuid.UUID, *, now: datetime, address: str) -> Caller:
    """The caller behind a key that was checked before; raises `CredentialRefused`. At most one query."""
    record = _find_record(key_id)
    if record is None:
        raise refuse("unknown", "The API key does not exist any more.", address)
    return _let_in(record, now, address)


def authenticate_family(family_id: uuid.UUID, *, now: datetime, address: str) -> Caller:
    """The caller behind a login that was checked before; raises `CredentialRefused`. One query."""
    session = sessions.find_session(family_id, now=now)
    if session is None:
        raise refuse("token", "The login has ended; log in again.", address)
    return Caller(
        tier=session.tier,
        scopes=ROLE_SCOPES[session.role],
        account_id=session.account_id,
        user_id=session.user_id,
        family_id=family_id,
        role=session.role,
        name=f"user {session.username}",
    )


def refuse(reason: str, detail: str, address: str, key: str = "") -> CredentialRefused:
    """Count and log a refusal; returns what is to be raised."""
    failures.count(reason=reason, key=key, address=address)
    logger.info("authentication failed: %s, key %s, from %s", reason, key or "-", address or "-")
    return CredentialRefused(reason, detail)


def _find_record(key_id: uuid.UUID) -> KeyRecord | None:
    return directory.current().remembered_key(key_id) or _read_record(key_id)


def _read_record(key_id: uuid.UUID, digest: str | None = None) -> KeyRecord | None:
    known = directory.current()
    try:
        return known.load_key(key_id, digest)
    except DatabaseFailure:
        record = known.last_known_key(key_id)
        if record is None:
            raise
        return record


def _authenticate_person(token: str, now: datetime, address: str) -> Caller:
    try:
        claims = tokens.verify_access_token(token, now=now)
    except tokens.InvalidToken as invalid:
        raise refuse("expired" if invalid.reason == "expired" else "token", invalid.detail, address) from None
    caller = authenticate_family(claims.family_id, now=now, address=address)
    if caller.user_id != claims.user_id:
        raise refuse("token", "The token is not valid.", address)
    return msgspec.structs.replace(caller, expires_at=claims.expires_at)


def _parse_key(credential: str, address: str) -> keys.ParsedKey:
    try:
        if len(credential) > _LONGEST_CREDENTIAL:
            raise keys.MalformedKey("far too long")
        return keys.parse_key(credential)
    except keys.WrongChecksum as error:
        raise refuse("checksum", f"The API key is malformed: {error}.", address) from None
    except keys.MalformedKey as error:
        raise refuse("malformed", f"The API key is malformed: {error}.", address) from None


def _admit(parsed: keys.ParsedKey, record: KeyRecord | None, now: datetime, address: str) -> Caller:
    # An unknown id is compared as well, so that its answer takes as long as a wrong secret's.
    if not hmac.compare_digest(record.digest if record else "0" * 64, parsed.digest) or record is None:
        raise refuse("unknown", "The API key is not known here.", address)
    return _let_in(record, now, address)


def _let_in(record: KeyRecord, now: datetime, address: str) -> Caller:
    fault = _find_fault(record, now, address)
    if fault is not None:
        raise refuse(*fault, address, keys.public_id(record.id))
    return record.caller


def _find_fault(record: KeyRecord, now: datetime, address: str) -> tuple[str, str] | None:
    """Why the key is not let in, as `CredentialRefused` has it; None if it is."""
    if record.revoked_at is not None:
        return "revoked", "The API key has been revoked."
    if record.expires_at is not None and now >= record.expires_at:
        return "expired", "The API key has expired."
    if not record.is_account_active:
        return "inactive", "The account of this API key is switched off."
    if record.networks and not networks.allows(record.networks, address):
        return "network", "The API key may not be used from this address."
    return None
