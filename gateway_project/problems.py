"""Every error becomes RFC 9457 ``application/problem+json``: DRF's, Django's own, and those of the rim.

What went wrong inside is logged, never shown: no trace, no SQL.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response

from gateway_project.database import database_outage
from gateway_project.problem_types import PROBLEM_TYPES
from observability import request_context

CONTENT_TYPE = "application/problem+json"
_STORE_RETRY_S = 2


def problem(
    code: str,
    *,
    path: str,
    detail: str | None = None,
    status: int | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """The body of an error: `code` is one of `PROBLEM_TYPES`, `path` becomes ``instance``."""
    kind = PROBLEM_TYPES[code]
    return {
        "type": f"/errors/{code}",
        "title": kind.title,
        "status": status or kind.status,
        "detail": detail or kind.advice,
        "instance": path,
        "error": code,
        "request_id": request_context.current(),
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        **extra,
    }


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler: known exceptions become their problem, a lost database 503, the rest Django's 500."""
    request: HttpRequest = context["request"]
    error = _as_api_exception(error)
    if not isinstance(error, exceptions.APIException):
        return None
    if error.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        database_outage.failed(error.__cause__ or error)
    headers: dict[str, str] = {"Cache-Control": "no-store", "Vary": "Authorization, X-API-Key"}
    if www := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = www
    if isinstance(error, exceptions.MethodNotAllowed):
        view = context["view"]
        headers["Allow"] = ", ".join(view.allowed_methods)
    extra: dict[str, Any] = {}
    if retry_after_s := getattr(error, "retry_after_s", None):
        headers["Retry-After"] = str(retry_after_s)
        extra["retry_after"] = retry_after_s
    if isinstance(error, exceptions.ValidationError):
        extra["errors"] = list(_field_errors(error.detail))
    code = _code_of(error)
    body = problem(
        code,
        path=request.path,
        detail=None if "errors" in extra else str(error.detail),
        status=error.status_code,
        **extra,
    )
    return Response(body, status=error.status_code, headers=headers, content_type=CONTENT_TYPE)


class _StoreUnavailable(exceptions.APIException):
    """The database went away under a view that has no other source."""

    status_code = 503
    default_code = "store_unavailable"
    default_detail = "The database cannot be reached right now; try again in a moment."
    retry_after_s = _STORE_RETRY_S


def _as_api_exception(error: Exception) -> Exception:
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, RequestDataTooBig):
        return _TooLarge()
    if isinstance(error, OperationalError | InterfaceError):
        unavailable = _StoreUnavailable()
        unavailable.__cause__ = error
        return unavailable
    return error


class _TooLarge(exceptions.APIException):
    status_code = 413
    default_code = "payload_too_large"
    default_detail = "The body is larger than this gateway takes."


def _code_of(error: exceptions.APIException) -> str:
    if isinstance(error, exceptions.ValidationError):
        return "INVALID_BODY" if error.status_code == HTTPStatus.UNPROCESSABLE_ENTITY else "INVALID_QUERY"
    codes = error.get_codes()
    code = str(codes).upper() if isinstance(codes, str) else ""
    if code == "PERMISSION_DENIED":
        return "FORBIDDEN"
    if code in PROBLEM_TYPES:
        return code
    return "INTERNAL_ERROR" if error.status_code >= 500 else "BAD_REQUEST"


def _field_errors(detail: Any, pointer: str = "") -> Any:
    """Flatten DRF's nested error lists into ``{pointer, detail, code}``."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _field_errors(inner, f"{pointer}/{name}")
    elif isinstance(detail, list):
        for inner in detail:
            yield from _field_errors(inner, pointer)
    else:
        yield {
            "pointer": _encodable(pointer),
            "detail": _encodable(str(detail)),
            "code": getattr(detail, "code", "invalid"),
        }


def _encodable(text: str) -> str:
    """`text` as UTF-8 can hold it: JSON may name half a surrogate pair, which an answer may not repeat."""
    return text.encode("utf-8", "backslashreplace").decode()


def _respond(request: HttpRequest, code: str, detail: str | None = None) -> HttpResponse:
    body = problem(code, path=request.path, detail=detail)
    response = HttpResponse(msgspec.json.encode(body), status=body["status"], content_type=CONTENT_TYPE)
    response["Cache-Control"] = "no-store"
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's own 400: a bad host, a suspicious request, a body that is too large."""
    if isinstance(exception, RequestDataTooBig):
        return _respond(request, "PAYLOAD_TOO_LARGE")
    if isinstance(exception, SuspiciousOperation):
        return _respond(request, "BAD_REQUEST", "The request was refused as malformed.")
    return _respond(request, "BAD_REQUEST")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's own 403."""
    return _respond(request, "FORBIDDEN")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its CSRF token."""
    return _respond(request, "FORBIDDEN", "The form's CSRF token is missing or wrong; reload the page.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's own 404."""
    return _respond(request, "NOT_FOUND")


def server_error(request: HttpRequest) -> HttpResponse:
    """An exception that nobody caught; Django has logged it with its trace."""
    return _respond(request, "INTERNAL_ERROR")


View = Callable[..., HttpResponse]


def read_only(view: View) -> View:
    """A plain view for GET and HEAD; every other method gets the 405 that says so."""

    @functools.wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            return view(request, *args, **kwargs)
        response = _respond(request, "METHOD_NOT_ALLOWED")
        response["Allow"] = "GET, HEAD"
        return response

    # Nothing is changed by these views, so a foreign form can do no harm: 405 rather than 403.
    return csrf_exempt(checked)
