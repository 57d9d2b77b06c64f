"""Django's middleware for people with a browser: sessions, forms, messages. Calls of the API pass it by.

Their views take no cookie, and what nothing looks at costs each call a twentieth of its time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware import csrf

_API = ("/api/", "/auth/")


class _ForBrowsers:
    get_response: Callable[[HttpRequest], Any]

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(_API):
            passed: HttpResponseBase = self.get_response(request)
            return passed
        answered: HttpResponseBase = super().__call__(request)  # type: ignore[misc] # that of the middleware
        return answered


class SessionMiddleware(_ForBrowsers, sessions.SessionMiddleware):
    """Django's."""


class CsrfViewMiddleware(_ForBrowsers, csrf.CsrfViewMiddleware):
    """Django's. Its look at the view stays for every request: DRF's views are exempt themselves."""


class AuthenticationMiddleware(_ForBrowsers, auth.AuthenticationMiddleware):
    """Django's."""


class MessageMiddleware(_ForBrowsers, messages.MessageMiddleware):
    """Django's."""
