"""CORS headers for answers given at the rim: django-cors-headers decides, as it does inside Django."""

from __future__ import annotations

from corsheaders.middleware import CorsMiddleware
from django.http import HttpRequest, HttpResponse

from gateway_project.addresses import RawHeaders
from gateway_project.house_headers import Pair, encoded

_middleware = CorsMiddleware(lambda request: HttpResponse())


def headers_for(path: str, asked: RawHeaders) -> list[Pair]:
    """What a browser needs to let its page read the answer; nothing for callers without an Origin."""
    origin = next((value for name, value in asked if name == b"origin"), None)
    if origin is None:
        return []
    request = HttpRequest()
    request.path = request.path_info = path
    request.method = "GET"  # a preflight never ends at the rim
    request.META["HTTP_ORIGIN"] = origin.decode("latin-1")
    response = HttpResponse()
    _middleware.add_response_headers(request, response)
    return encoded((name, value) for name, value in response.items() if name.lower() != "content-type")
