"""First slice of the probes: ready to serve, and which version this is. Liveness is answered at the rim."""

from __future__ import annotations

from django.db import Error as DatabaseFailure
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache

from gateway_project import __version__
from gateway_project.problems import CONTENT_TYPE, problem, read_only


@read_only
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
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


@read_only
def version(request: HttpRequest) -> HttpResponse:
    """Name and version of this gateway."""
    return JsonResponse({"name": "prediction-gateway", "version": __version__})
