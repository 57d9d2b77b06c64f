"""The dashboard, where to begin, what each error means, which version this is."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from accounts import visitors
from gateway_project import contract_pages
from gateway_project.problem_types import PROBLEM_TYPES
from gateway_project.problems import read_only
from observability.version import COMMIT, VERSION

logger = logging.getLogger(__name__)


@read_only
@never_cache
def dashboard(request: HttpRequest) -> HttpResponse:
    """Predictions live, for whoever looks rather than reads. Scripts do the rest, over the API."""
    context = {
        "version": VERSION,
        "key": _visitors_key(),
        "stale_after_s": settings.GATEWAY.stale_after_s,
    }
    return render(request, "dashboard.html", context)


def _visitors_key() -> str:
    """The key that the page calls with; "" where there is none that everybody may see: then the page asks."""
    key: str = settings.GATEWAY.dashboard_key
    if not key:
        return ""
    try:
        reason = visitors.why_not_shown(key)
    except DatabaseFailure:
        reason = "the database does not answer"
    if reason is None:
        return key
    logger.warning("DASHBOARD_KEY is not shown: %s", reason)
    return ""


@read_only
def start(request: HttpRequest) -> HttpResponse:
    """The first calls, ready to copy, and every error code."""
    context = {
        "version": VERSION,
        **contract_pages.addresses(request),
        "kinds": PROBLEM_TYPES.items(),
    }
    return render(request, "start.html", context)


@read_only
def error(request: HttpRequest, code: str) -> HttpResponse:
    """The page that a problem's ``type`` links to."""
    kind = PROBLEM_TYPES.get(code)
    if kind is None:
        raise Http404
    told = contract_pages.errors_in_contract()[code]
    context = {
        "code": code,
        "kind": kind,
        "phrase": HTTPStatus(kind.status).phrase,
        "example": json.dumps(told.example, indent=2),
        "retry_after": told.example.get("retry_after"),
        "calls": told.calls,
    }
    return render(request, "error_page.html", context)


@read_only
@never_cache
def version(request: HttpRequest) -> HttpResponse:
    """Name and version of this gateway."""
    return JsonResponse({"name": "prediction-gateway", "version": VERSION, "commit": COMMIT})


@read_only
def answered_at_the_rim(request: HttpRequest) -> HttpResponse:
    """Where probes and metrics are: GET and HEAD do not come so far, all else is told what may be done."""
    raise Http404
