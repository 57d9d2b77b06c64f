"""Routes of explanations, below ``/api/``.

The route of a job comes first: ``job`` is no symbol. Whatever else stands in the place of an id or a symbol
gets the answer that says so.
"""

from django.urls import re_path

from explanations.views import ExplanationJobViewSet, ExplanationViewSet

urlpatterns = [
    re_path(
        r"^explanation/job/(?P<job_id>[\s\S]*)\Z",
        ExplanationJobViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
        name="explanation-job",
    ),
    re_path(
        r"^explanation/(?P<symbol>[\s\S]*?)\Z",
        ExplanationViewSet.as_view({"get": "retrieve", "post": "create"}),
        name="explanation",
    ),
]
