"""Every HTTP path of the gateway."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from gateway_project import contract_pages, health, pages, problems

_contract = [
    path("openapi.json", contract_pages.openapi, name="openapi"),
    path("asyncapi.json", contract_pages.asyncapi, name="asyncapi"),
    path("docs", contract_pages.docs, name="docs"),
    path("redoc", contract_pages.redoc, name="redoc"),
]
_api = include(
    [path("", include("predictions.urls")), path("", include("explanations.urls")), *_contract],
)

urlpatterns = [
    path("api/", _api),
    path("api/v1/", _api),
    path("auth/", include("accounts.urls")),
    path("", pages.dashboard, name="dashboard"),
    path("start", pages.start, name="start"),
    path("errors/<str:code>", pages.error, name="error-page"),
    path("llms.txt", contract_pages.llms, name="llms"),
    *_contract,
    path("version", pages.version, name="version"),
    path("metrics", pages.answered_at_the_rim, name="metrics"),
    *(
        path(place.removeprefix("/"), pages.answered_at_the_rim, name="health")
        for place in sorted(health.PATHS)
    ),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
]

handler400 = problems.bad_request
handler403 = problems.forbidden
handler404 = problems.not_found
handler500 = problems.server_error
