"""How DRF asks `accounts.credentials` who is calling, and who may go on."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.credentials import (
    Caller,
    CredentialRefused,
    authenticate,
    choose_credential,
)


class InvalidCredential(AuthenticationFailed):
    """401: a credential was sent and is bad."""

    default_code = "invalid_credential"


class KeyAuthentication(BaseAuthentication):
    """Sets ``request.user`` to a `Caller`; without a credential DRF puts the anonymous one there."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        try:
            credential = choose_credential(
                request.headers.get("X-API-Key"), request.headers.get("Authorization")
            )
            if credential is None:
                return None
            return authenticate(credential, now=timezone.now()), None
        except CredentialRefused as refused:
            raise InvalidCredential(refused.detail) from None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="prediction-gateway"'


class KeyRequired(BasePermission):
    """Lets a caller through who holds the view's `required_scope`; anonymous ones may only read.

    401 for a missing credential and 403 for a missing scope: DRF tells them apart by the caller.
    """

    message = "This API key does not have the scope that the call needs."
    code = "scope_missing"

    def has_permission(self, request: Request, view: Any) -> bool:
        caller = cast(Caller, request.user)
        if not caller.is_authenticated and not (
            settings.GATEWAY.anonymous_access and request.method in SAFE_METHODS
        ):
            return False
        return view.required_scope in caller.scopes
