"""What can go wrong with keys, as the answers that callers get."""

from __future__ import annotations

from rest_framework import status
from rest_framework.exceptions import APIException, ErrorDetail, NotFound, PermissionDenied, ValidationError

from accounts.actions import KeyAlreadyRotated, KeyNotUsable, NoTierForKeys, TooManyKeys
from accounts.key_rules import ScopeNeeded
from accounts.self_service import UnknownCursor, UnknownKey
from accounts.tickets import TicketsUnavailable


class ScopeMissing(PermissionDenied):
    """403: the caller lacks a scope, or would give away one that they do not have."""

    default_code = "scope_missing"


class NoSuchKey(NotFound):
    """404: no key with this id, or none that the caller may see; which one is not told."""

    default_code = "unknown_key"
    default_detail = "There is no such key among those that you may see."


class _Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT


class KeyHasEnded(_Conflict):
    """409: the key is revoked or expired."""

    default_code = "key_not_usable"
    default_detail = "The key is revoked or expired; register a new one."


class KeyWasRotated(_Conflict):
    """409: the key has a successor."""

    default_code = "key_already_rotated"
    default_detail = "The key was rotated before and ends with its overlap; use or rotate its successor."


class TooManyUsableKeys(_Conflict):
    """409: the account is full."""

    default_code = "too_many_keys"
    default_detail = "The account has as many usable keys as it may have; revoke some."


class StoreUnavailable(APIException):
    """503: Redis, which holds tickets, did not answer."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "store_unavailable"
    default_detail = "Tickets cannot be issued right now; try again in a moment."
    retry_after_s = 2


def as_answer(error: Exception) -> Exception:
    """The answer to `error`; an error that is not about keys stays what it is."""
    if isinstance(error, ScopeNeeded):
        return ScopeMissing(str(error))
    if isinstance(error, NoTierForKeys):
        return PermissionDenied("The tier of this account has no keys.")
    if isinstance(error, UnknownCursor):
        return ValidationError(
            {"cursor": ErrorDetail("Pass the `next` of an earlier answer.", code="invalid")}
        )
    kinds: dict[type[Exception], type[APIException]] = {
        UnknownKey: NoSuchKey,
        KeyNotUsable: KeyHasEnded,
        KeyAlreadyRotated: KeyWasRotated,
        TooManyKeys: TooManyUsableKeys,
        TicketsUnavailable: StoreUnavailable,
    }
    kind = kinds.get(type(error))
    if kind is None:
        return error
    answer = kind()
    answer.__cause__ = error
    return answer
