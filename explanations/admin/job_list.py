"""The list of explanation jobs: filters, what a search finds, and how many orders each job has."""

from __future__ import annotations

import uuid

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from accounts.admin.look import ChangeList
from accounts.admin.records import PeriodFilter
from explanations.models import Computation, ExplanationJob

STATE_LABELS = {
    "queued": "info",
    "running": "warning",
    "done": "success",
    "failed": "danger",
    "cancelled": "default",
}


class AgeFilter(PeriodFilter):
    """By when it was ordered first."""

    title = "age"
    field = "created_at"


class JobList(ChangeList):
    """A page of computations with the number of orders that each has."""

    def get_results(self, request: HttpRequest) -> None:
        """One query more, however long the page is."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        counts = dict(
            ExplanationJob.objects.filter(computation__in=[row.pk for row in self.result_list])
            .order_by()
            .values_list("computation_id")
            .annotate(total=Count("pk"))
        )
        for row in self.result_list:
            row.order_count = counts.get(row.pk, 0)


def find(queryset: QuerySet[Computation], term: str) -> QuerySet[Computation]:
    """Those with the id `term`, of the job `term`, or of the symbol `term`."""
    term = term.strip()
    try:
        id_ = uuid.UUID(term)
    except ValueError:
        return queryset.filter(symbol=term.upper()) if term and "\x00" not in term else queryset.none()
    of_job = ExplanationJob.objects.filter(pk=id_).values("computation_id")
    return queryset.filter(Q(pk=id_) | Q(pk__in=of_job))
