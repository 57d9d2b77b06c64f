"""First slice of the probes: alive, ready to serve, and which version this is."""

from __future__ import annotations

from django.db import Error as DatabaseFailure
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from gateway_project import __version__
from gateway_project.problems import CONTENT_TYPE, problem


@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponseBase:
    """200 while the process serves requests; touches nothing else."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponseBase:
    """200 when the record can be read (Redis down only makes reads slower), else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseFailure:
        return JsonResponse(
            problem("NOT_READY", path=request.path, detail="The database cannot be reached."),
            status=503,
            content_type=CONTENT_TYPE,
            headers={"Retry-After": "2"},
        )
    return JsonResponse({"status": "ready"})


@require_safe
def version(request: HttpRequest) -> HttpResponseBase:
    """Name and version of this gateway."""
    return JsonResponse({"name": "prediction-gateway", "version": __version__})
