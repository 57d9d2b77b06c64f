"""The questions before a job is requeued or cancelled, and what is told afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts.admin.rights import actor_of, may
from explanations import actions
from explanations.models import Computation

MOST_AT_ONCE = 100
ROLE = "operator"
_LIST = "admin:explanations_computation_changelist"
_PAGE = "admin:explanations_computation_change"

_REASONS: dict[type[Exception], str] = {
    actions.UnknownComputation: "It is gone, or was requeued under a new id.",
    actions.AlreadyDone: "It is done: there is nothing to repeat.",
    actions.ComputedElsewhere: "The same explanation was ordered again meanwhile, and is done or under way.",
    actions.NothingToCancel: "It has ended already.",
}


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done to a job, and its words. `run` returns the id under which the job goes on."""

    action: str
    title: str
    advice: str
    verb: str
    done: str
    is_dangerous: bool
    run: Callable[[uuid.UUID, str], uuid.UUID]


def _requeue(computation_id: uuid.UUID, actor: str) -> uuid.UUID:
    return actions.requeue(computation_id=computation_id, actor=actor, now=timezone.now())


def _cancel(computation_id: uuid.UUID, actor: str) -> uuid.UUID:
    actions.cancel(computation_id=computation_id, actor=actor, now=timezone.now())
    return computation_id


REQUEUE = Deed(
    action="requeue_selected",
    title="Requeue",
    advice="The explanation is computed anew from its beginning; what runs of it is stopped. "
    "It goes on under a new computation id. Callers keep their job ids.",
    verb="Requeue",
    done="Requeued",
    is_dangerous=False,
    run=_requeue,
)
CANCEL = Deed(
    action="cancel_selected",
    title="Cancel",
    advice="The explanation is ended for everybody who ordered it. It can be requeued later.",
    verb="Cancel for everybody",
    done="Cancelled",
    is_dangerous=True,
    run=_cancel,
)


def one(model_admin: Any, request: HttpRequest, object_id: str, deed: Deed) -> HttpResponseBase:
    """Ask; then do it to one job."""
    if not may(request, ROLE):
        raise PermissionDenied
    computation = model_admin.get_object(request, object_id)
    if not isinstance(computation, Computation):
        raise Http404
    if request.method != "POST":
        context = _context(model_admin, request, deed, [computation])
        return TemplateResponse(request, "admin/explanations/confirm.html", context)
    try:
        new_id = deed.run(computation.pk, actor_of(request))
    except tuple(_REASONS) as refused:
        model_admin.message_user(request, f"Nothing was done. {_REASONS[type(refused)]}", messages.ERROR)
        return redirect(_PAGE, computation.pk)
    model_admin.message_user(request, f"{deed.done}.", messages.SUCCESS)
    return redirect(_PAGE, new_id)


def several(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Computation], deed: Deed
) -> HttpResponseBase | None:
    """Ask; then do it to all of `queryset`, each for itself: one that is refused stops no other."""
    chosen = list(queryset[: MOST_AT_ONCE + 1])
    if len(chosen) > MOST_AT_ONCE:
        model_admin.message_user(request, f"Choose {MOST_AT_ONCE} jobs at most.", messages.ERROR)
        return None
    if "confirmed" not in request.POST:
        context = _context(model_admin, request, deed, chosen) | {"action": deed.action}
        return TemplateResponse(request, "admin/explanations/confirm.html", context)
    done = 0
    for computation in chosen:
        try:
            deed.run(computation.pk, actor_of(request))
            done += 1
        except tuple(_REASONS) as refused:
            told = f"{computation}: nothing was done. {_REASONS[type(refused)]}"
            model_admin.message_user(request, told, messages.WARNING)
    if done:
        model_admin.message_user(request, f"{deed.done}: {done}.", messages.SUCCESS)
    return None


def _context(model_admin: Any, request: HttpRequest, deed: Deed, things: list[Computation]) -> dict[str, Any]:
    what = str(things[0]) if len(things) == 1 else f"{len(things)} explanations"
    return {
        **model_admin.admin_site.each_context(request),
        "title": f"{deed.title} {what}?",
        "deed": deed,
        "things": things,
        "opts": model_admin.opts,
    }
