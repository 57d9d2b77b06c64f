"""The routes of people who log in: password for tokens, refresh token for new ones, and the end of a login.

They decode, call `accounts.sessions`, and say no more about a refusal than that it is one.
"""

from __future__ import annotations

import logging
import math
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import failures, guessing, sessions, tokens
from accounts.bodies import read_body
from accounts.credentials import CredentialRefused, choose_credential
from accounts.guards import TooManyAttempts, guard
from accounts.login_serializers import LoginBody, LogoutBody, RefreshBody
from accounts.models import User
from accounts.sessions import LiveSession, TokenPair
from observability import request_context

logger = logging.getLogger(__name__)

_NO_STORE = {"Cache-Control": "no-store"}
_REALM = 'Bearer realm="prediction-gateway"'


class LoginFailed(APIException):
    """401: user name or password is wrong, or the login is switched off; which one is not told."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_code = "login_failed"
    default_detail = "User name or password is wrong."
    auth_header = _REALM


class TokenRefused(APIException):
    """401: the token has ended, was used before, or is none of ours; which one is not told."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_code = "invalid_token"
    default_detail = "The token is not valid; log in again."
    auth_header = f'{_REALM}, error="invalid_token"'


class _PublicView(APIView):
    """What these routes get is itself the credential: none is looked for in the headers."""

    authentication_classes = []
    permission_classes = []


class LoginView(_PublicView):
    """``POST /auth/login``: user name and password for a pair of tokens."""

    def post(self, request: Request) -> Response:
        """200 with the pair, 401 `LOGIN_FAILED`, 422, 429, 503."""
        body = read_body(request, LoginBody)
        username: str = body["username"]
        per_minute = settings.GATEWAY.login_attempts_per_minute
        guard(
            request, group="login", per_address=f"{10 * per_minute}/m", per_user=(username, f"{per_minute}/m")
        )
        user = authenticate(request._request, username=username, password=body["password"])
        try:
            if user is None:
                raise sessions.LoginRefused
            pair = sessions.log_in(user=user, now=timezone.now(), agent=_agent(request))
        except sessions.LoginRefused:
            _note_failure("login", f"user {_loggable(username)}", request)
            raise LoginFailed from None
        logger.info("authentication succeeded: login, user %s, from %s", username, _address(request))
        return _answer(pair)


class RefreshView(_PublicView):
    """``POST /auth/refresh``: a refresh token for the next pair."""

    def post(self, request: Request) -> Response:
        """200 with the pair, 401 `INVALID_TOKEN`, 422, 429, 503."""
        arrived_at = request_context.arrived_at()
        body = read_body(request, RefreshBody)
        guard(request, group="refresh", per_address=f"{10 * settings.GATEWAY.login_attempts_per_minute}/m")
        try:
            pair = sessions.refresh(
                token=body["refresh_token"],
                now=timezone.now(),
                arrived_at=arrived_at,
                agent=_agent(request),
            )
        except sessions.RefreshRefused as refused:
            raise _refuse(refused.reason, request) from None
        return _answer(pair)


class LogoutView(_PublicView):
    """``POST /auth/logout``: the end of a login, or of all logins of its user."""

    def post(self, request: Request) -> Response:
        """204, 401 `INVALID_TOKEN`, 422, 429, 503. The refresh token in the body goes before the header."""
        arrived_at = request_context.arrived_at()
        body = read_body(request, LogoutBody)
        now = timezone.now()
        _check_guesses(request)
        try:
            if "refresh_token" in body:
                family_id = sessions.find_family(
                    token=body["refresh_token"], now=now, arrived_at=arrived_at, agent=_agent(request)
                )
                session = sessions.find_session(family_id, now=now)
            else:
                session = _session_of_access_token(request)
        except (sessions.RefreshRefused, tokens.InvalidToken) as refused:
            guessing.failed(_address(request))
            raise _refuse(refused.reason, request) from None
        if session is None or not _end(session, everywhere=body["everywhere"]):
            raise _refuse("ended", request)
        return Response(status=status.HTTP_204_NO_CONTENT, headers=_NO_STORE)


def _check_guesses(request: Request) -> None:
    """Who wants out gets out, also while attempts cannot be counted in Redis; but not who guesses tokens."""
    try:
        guessing.check(_address(request))
    except guessing.TooManyGuesses as refused:
        raise TooManyAttempts(max(1, math.ceil(refused.wait_s))) from None


def _session_of_access_token(request: Request) -> LiveSession | None:
    try:
        credential = choose_credential(None, request.headers.get("Authorization"))
    except CredentialRefused:
        credential = None
    if credential is None:
        raise _refuse(
            "missing",
            request,
            "Send the refresh token in the body, or the access token as Authorization: Bearer.",
        )
    now = timezone.now()
    claims = tokens.verify_access_token(credential, now=now)
    session = sessions.find_session(claims.family_id, now=now)
    return session if session is not None and session.user_id == claims.user_id else None


def _end(session: LiveSession, *, everywhere: bool) -> bool:
    now = timezone.now()
    if not everywhere:
        return sessions.log_out(family_id=session.family_id, now=now)
    user = User.objects.get(pk=session.user_id)
    return sessions.log_out_everywhere(user=user, now=now, because="logout") > 0


def _answer(pair: TokenPair) -> Response:
    body: dict[str, Any] = {
        "access_token": pair.access_token,
        "token_type": "Bearer",
        "expires_in": pair.expires_in_s,
        "refresh_token": pair.refresh_token,
        "refresh_expires_in": pair.refresh_expires_in_s,
    }
    return Response(body, headers=_NO_STORE)


def _refuse(reason: str, request: Request, detail: str | None = None) -> TokenRefused:
    _note_failure("token", reason, request)
    return TokenRefused(detail)


def _note_failure(kind: str, what: str, request: Request) -> None:
    failures.count(reason=kind, key="", address=_address(request))
    logger.info("authentication failed: %s, %s, from %s", kind, what, _address(request))


def _loggable(username: str) -> str:
    """The name of a user there is; of any other, which may be a mistyped password, a keyed hash."""
    if User.objects.filter(username=username).exists():
        return username
    return f"unknown-{salted_hmac(__name__, username, algorithm='sha256').hexdigest()[:8]}"


def _address(request: Request) -> str:
    address: str = request.META.get("REMOTE_ADDR", "")
    return address


def _agent(request: Request) -> str:
    return request.headers.get("User-Agent", "")
