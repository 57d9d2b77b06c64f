"""The pages for people: where to begin, and what each error means."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from gateway_project import __version__
from gateway_project.problem_types import PROBLEM_TYPES
from gateway_project.problems import read_only


@read_only
def start(request: HttpRequest) -> HttpResponse:
    """The first calls, ready to copy, and every error code."""
    context = {
        "version": __version__,
        "base_url": request.build_absolute_uri("/").rstrip("/"),
        "socket_url": f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}",
        "kinds": PROBLEM_TYPES.items(),
    }
    return render(request, "start.html", context)


@read_only
def error(request: HttpRequest, code: str) -> HttpResponse:
    """The page that a problem's ``type`` links to."""
    kind = PROBLEM_TYPES.get(code)
    if kind is None:
        raise Http404
    return render(request, "error_page.html", {"code": code, "kind": kind})
