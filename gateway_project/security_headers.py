"""What every answer tells browsers to refrain from: Django's, by a middleware, and those of the rim."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from gateway_project import content_policies
from gateway_project.house_headers import Pair, encoded

_POLICY = "Content-Security-Policy"
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": settings.X_FRAME_OPTIONS,
    # Asked for; browsers of today have no such filter and look at the policy below.
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
    "Permissions-Policy": ", ".join(
        f"{one}=()"
        for one in ("camera", "geolocation", "microphone", "payment", "usb", "xr-spatial-tracking")
    ),
    "Cross-Origin-Opener-Policy": settings.SECURE_CROSS_ORIGIN_OPENER_POLICY,
    # What is read through CORS is not concerned: this is about pictures and scripts in pages of others.
    "Cross-Origin-Resource-Policy": "same-origin",
}
OF_DATA: tuple[Pair, ...] = tuple(encoded([*_ALWAYS.items(), (_POLICY, content_policies.DATA)]))
"""Of an answer that is no page."""


def _transport_security() -> str:
    more = "; includeSubDomains; preload" if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else ""
    return f"max-age={settings.SECURE_HSTS_SECONDS}{more}"


_HSTS: tuple[Pair, ...] = (
    ((b"strict-transport-security", _transport_security().encode()),) if settings.SECURE_HSTS_SECONDS else ()
)


def of_scheme(scheme: str) -> tuple[Pair, ...]:
    """What is said over https alone (RFC 6797, 7.2)."""
    return _HSTS if scheme == "https" else ()


class SecurityHeadersMiddleware:
    """Adds what an answer of Django does not have yet; `SecurityMiddleware` says what belongs to https."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, with the headers."""
        response = self._get_response(request)
        for name, value in _ALWAYS.items():
            response.headers.setdefault(name, value)
        if _POLICY not in response.headers:
            content_type = response.headers.get("Content-Type", "")
            response.headers[_POLICY] = content_policies.find(
                request.path, content_type, is_secure=request.is_secure()
            )
        return response
