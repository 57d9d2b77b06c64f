"""The routes on which callers look after their keys themselves, see their profile, and get socket tickets.

They decode, call `accounts.self_service`, encode. No cache may keep an answer; a secret is in one alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.utils import timezone
from rest_framework import status
from rest_framework.exceptions import ErrorDetail, NotAuthenticated, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import failures, keys, self_service, tickets
from accounts.actions import OVERLAPS, IssuedKey
from accounts.authentication import admission_of
from accounts.bodies import InvalidBody, read_body, read_query
from accounts.callers import Caller
from accounts.guards import guard
from accounts.key_answers import describe, describe_new, describe_page, describe_rotated
from accounts.key_problems import ScopeMissing, as_answer
from accounts.key_serializers import (
    ChangeBody,
    EmptyBody,
    KeysQuery,
    ProfileQuery,
    RegisterBody,
    RevokeQuery,
    RotateBody,
)
from accounts.profiles import profile_of

_DEFAULT_OVERLAP = "24h"


class _KeyView(APIView):
    """Who sees these answers is who asked: nobody keeps them. What goes wrong with keys gets its answer."""

    @property
    def default_response_headers(self) -> dict[str, str]:
        """The headers of every answer."""
        own = {"Cache-Control": "no-store", "Vary": "Authorization, X-API-Key"}
        return {**super().default_response_headers, **own}

    def handle_exception(self, exc: Exception) -> Response:
        """The answer to `exc`; a refused scope is counted, as at the rim."""
        answer = as_answer(exc)
        if isinstance(answer, ScopeMissing):
            caller = caller_of(self.request)
            key = keys.public_id(caller.key_id) if caller.key_id else ""
            failures.count(reason="scope", key=key, address=self.request.META.get("REMOTE_ADDR", ""))
        return super().handle_exception(answer)


class RegisterView(_KeyView):
    """``POST /auth/register``: a new key."""

    def post(self, request: Request) -> Response:
        """201 with the secret; 401, 403 `SCOPE_MISSING`, 409 `TOO_MANY_KEYS`, 422, 429, 503."""
        register = _way_in(request)
        body = read_body(request, RegisterBody)
        issued = register(caller=caller_of(request), now=timezone.now(), **body)
        return _created(issued, describe_new(issued, timezone.now()))


class ProfileView(_KeyView):
    """``GET /auth/profile``: who is calling, with which rights and limits, and what was used."""

    def get(self, request: Request) -> Response:
        """200; 400."""
        query = read_query(request, ProfileQuery)
        admission = admission_of(request)
        decision = None if admission is None else admission.decision
        return Response(profile_of(caller_of(request), decision, now=timezone.now(), days=query["days"]))


class KeysView(_KeyView):
    """``GET /auth/keys``: the keys that the caller may see."""

    def get(self, request: Request) -> Response:
        """200 with a page; 400."""
        query = read_query(request, KeysQuery)
        page = self_service.list_keys(caller_of(request), after=query.get("cursor"), limit=query["limit"])
        return Response(describe_page(page, timezone.now()))


class KeyView(_KeyView):
    """``/auth/keys/{public_id}``: one key."""

    def get(self, request: Request, public_id: str) -> Response:
        """200; 404 `UNKNOWN_KEY`."""
        return Response(describe(self_service.find_key(caller_of(request), public_id), timezone.now()))

    def patch(self, request: Request, public_id: str) -> Response:
        """200 with the key as it is then; 403, 404, 409, 422."""
        changes = read_body(request, ChangeBody)
        now = timezone.now()
        key = self_service.change_key(
            caller=caller_of(request), public_id=public_id, now=now, changes=changes
        )
        return Response(describe(key, now))


class RotateView(_KeyView):
    """``POST /auth/rotate-key``: a new secret for a key."""

    def post(self, request: Request) -> Response:
        """201 with the secret; 403, 404, 409 `KEY_NOT_USABLE` and `KEY_ALREADY_ROTATED`, 422."""
        body = read_body(request, RotateBody)
        now = timezone.now()
        issued = self_service.rotate_key(
            caller=caller_of(request),
            public_id=_named_key(request, body, InvalidBody),
            overlap=OVERLAPS[body.get("overlap", _DEFAULT_OVERLAP)],
            now=now,
        )
        return _created(issued, describe_rotated(issued, now))


class RevokeView(_KeyView):
    """``DELETE /auth/revoke?key=``: the end of a key. In the query, since many clients send no body here."""

    def delete(self, request: Request) -> Response:
        """204, also for a key that was revoked before; 400, 404, 422 for a body with fields."""
        read_body(request, EmptyBody)
        public_id = _named_key(request, read_query(request, RevokeQuery), ValidationError)
        self_service.revoke_key(caller=caller_of(request), public_id=public_id, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class TicketView(_KeyView):
    """``POST /auth/ws-ticket``: a ticket that opens one socket."""

    def post(self, request: Request) -> Response:
        """201; 403 `SCOPE_MISSING`, 422, 503."""
        read_body(request, EmptyBody)
        ticket = tickets.issue(caller_of(request))
        return Response({"ticket": ticket, "expires_in": tickets.LIFETIME_S}, status=status.HTTP_201_CREATED)


def caller_of(request: Any) -> Caller:
    """Who is calling, as authentication found out."""
    return cast(Caller, request.user)


def _way_in(request: Request) -> Callable[..., IssuedKey]:
    """How this caller registers; 401 for one without a credential where that is not open, 429, 503."""
    if caller_of(request).is_authenticated:
        return self_service.register_key
    if not settings.GATEWAY.open_registration:
        raise NotAuthenticated
    guard(request, group="register", per_address=f"{settings.GATEWAY.login_attempts_per_minute}/h")
    return self_service.register_stranger


def _named_key(request: Request, named: dict[str, Any], refusal: type[ValidationError]) -> str:
    """The public id that `named` has under ``key``, or the calling key's; raises `refusal` without either."""
    if "key" in named:
        return str(named["key"])
    key_id = caller_of(request).key_id
    if key_id is None:
        raise refusal({"key": ErrorDetail("Name the key: you are calling without one.", code="required")})
    return keys.public_id(key_id)


def _created(issued: IssuedKey, answer: Any) -> Response:
    location = f"/auth/keys/{issued.key.public_id}"
    return Response(answer, status=status.HTTP_201_CREATED, headers={"Location": location})
