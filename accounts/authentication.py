"""How DRF learns who is calling, and who may go on. The rim has asked already; it is not asked twice.

Where there is no rim (a test client, a WSGI server) the same rules are asked here.
"""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts import access
from accounts.callers import Caller
from accounts.credentials import CredentialRefused, authenticate, choose_credential

SCOPE_KEY = "gateway.admission"
"""Where in the ASGI scope the rim leaves what it found: an object with the `caller`."""


class InvalidCredential(AuthenticationFailed):
    """401: a credential was sent and is bad."""

    default_code = "invalid_credential"


class CallerAuthentication(BaseAuthentication):
    """Sets ``request.user`` to a `Caller`; without a credential DRF puts the anonymous one there."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        admitted = admission_of(request)
        if admitted is not None:
            return (admitted.caller, None) if admitted.caller.is_authenticated else None
        try:
            credential = choose_credential(
                request.headers.get("X-API-Key"), request.headers.get("Authorization")
            )
            if credential is None:
                return None
            address = request.META.get("REMOTE_ADDR", "")
            return authenticate(credential, now=timezone.now(), address=address), None
        except CredentialRefused as refused:
            raise InvalidCredential(refused.detail) from None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="prediction-gateway"'


class AccessPermission(BasePermission):
    """Lets a caller through who has what the table in `accounts.access` asks for the route and method.

    401 for a missing credential and 403 for a missing scope: DRF tells them apart by the caller. A method
    that the view has and the table does not is refused.
    """

    message = "This credential may not do that."
    code = "forbidden"

    def has_permission(self, request: Request, view: Any) -> bool:
        match = request.resolver_match
        need = access.need_of(match.view_name if match else "", request.method or "")
        if need is None:
            return not hasattr(view, (request.method or "").lower())  # a 405 follows
        caller = cast(Caller, request.user)
        try:
            access.check(need, caller, anonymous_access=settings.GATEWAY.anonymous_access)
        except access.NotAllowed as refused:
            self.message, self.code = refused.detail, refused.code.lower()
            return False
        return True


def admission_of(request: Request) -> Any:
    """What the rim has found out about this request; None without a rim."""
    return request.META.get("asgi.scope", {}).get(SCOPE_KEY)
