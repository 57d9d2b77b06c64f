"""CORS headers for answers given at the rim: django-cors-headers decides, as it does inside Django."""

from __future__ import annotations

from typing import Any

from corsheaders.middleware import CorsMiddleware
from django.http import HttpRequest, HttpResponse

_middleware = CorsMiddleware(lambda request: HttpResponse())


def headers_for(scope: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """What a browser needs to let its page read the answer; nothing for callers without an Origin."""
    origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
    if origin is None:
        return []
    request = HttpRequest()
    request.path = request.path_info = scope["path"]
    request.method = "GET"  # a preflight never ends at the rim
    request.META["HTTP_ORIGIN"] = origin.decode("latin-1")
    response = HttpResponse()
    _middleware.add_response_headers(request, response)
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in response.items()
        if name.lower() != "content-type"
    ]
