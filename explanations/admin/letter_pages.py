"""The dead letters as pages: a list, one letter, and what operators do to it. NATS away is a page as well."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, cast

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods, require_safe

from accounts import audit
from accounts.admin.rights import actor_of, may
from events import dead_letter_box, streams
from events.dead_letter_box import DeadLettersAway, Letter, NoSuchLetter, NotPutBack
from events.explanations import ExplainOrder, decode
from events.prediction_updated import PayloadRefused
from explanations.models import Computation

ROLE = "operator"
MOST_SHOWN_BYTES = 64 * 1024
_LARGEST_SEQ = 2**63 - 1
_P = ParamSpec("_P")
_View = Callable[Concatenate[HttpRequest, _P], HttpResponseBase]


def urls() -> list[URLPattern]:
    """The pages of the dead letters."""
    view = admin.site.admin_view
    return [
        path("dead-letters/", view(show_list), name="dead_letters"),
        path("dead-letters/<int:seq>/", view(show_letter), name="dead_letter"),
        path("dead-letters/<int:seq>/put-back/", view(put_back), name="dead_letter_put_back"),
        path("dead-letters/<int:seq>/delete/", view(delete), name="dead_letter_delete"),
    ]


def _friendly(view: _View[_P]) -> _View[_P]:
    """Tell in words that NATS is away, or that the letter is."""

    @functools.wraps(view)
    def told(request: HttpRequest, /, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except NoSuchLetter:
            raise Http404 from None
        except DeadLettersAway:
            advice = "The dead letters are kept there. Nothing is lost; try again in a moment."
            if request.method == "POST":
                advice = (
                    "It is not known whether it was done. Look again in a moment; repeating it does no harm."
                )
            return cast(Any, admin.site).refuse(request, 503, "NATS does not answer", advice)  # type: ignore[no-any-return]

    return told


def _for_operators(view: _View[_P]) -> _View[_P]:
    @functools.wraps(view)
    def checked(request: HttpRequest, /, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponseBase:
        if not may(request, ROLE):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return checked


@require_safe
@_friendly
def show_list(request: HttpRequest) -> HttpResponseBase:
    """The newest, or those before the number ``before``."""
    before = _number(request.GET.get("before", ""))
    page = dead_letter_box.list_letters(_url(), before=before)
    context = {**_context(request, "Dead letters"), "page": page, "before": before}
    return TemplateResponse(request, "admin/dead_letters/list.html", context)


@require_safe
@_friendly
def show_letter(request: HttpRequest, seq: int) -> HttpResponseBase:
    """One with all that is kept of it."""
    letter = _letter(seq)
    context = {
        **_context(request, f"Dead letter {seq}"),
        "letter": letter,
        "headers": sorted(letter.headers.items()),
        "payload": readable(letter.body),
        "most_shown": MOST_SHOWN_BYTES if len(letter.body) > MOST_SHOWN_BYTES else None,
        "computation": _computation_of(letter),
        "may_operate": may(request, ROLE),
    }
    return TemplateResponse(request, "admin/dead_letters/letter.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@_for_operators
@_friendly
def put_back(request: HttpRequest, seq: int) -> HttpResponseBase:
    """Ask; then publish it where it came from."""
    if request.method != "POST":
        letter = _letter(seq)
        advice = f"It is published to {letter.subject} again, under a new message id, and deleted here."
        return _ask(request, letter, "Put it back", advice, is_dangerous=False)
    try:
        letter = dead_letter_box.put_back(_url(), _seq(seq))
    except NotPutBack as refused:
        messages.error(request, f"The letter was not put back. {refused}")
        return redirect("admin:dead_letter", seq)
    _note(request, "dead_letter.put_back", letter)
    messages.success(request, f"Dead letter {seq} was put back to {letter.subject}.")
    return redirect("admin:dead_letters")


@require_http_methods(["GET", "HEAD", "POST"])
@_for_operators
@_friendly
def delete(request: HttpRequest, seq: int) -> HttpResponseBase:
    """Ask; then delete it."""
    if request.method != "POST":
        return _ask(request, _letter(seq), "Delete it", "This cannot be undone.", is_dangerous=True)
    letter = dead_letter_box.delete(_url(), _seq(seq))
    _note(request, "dead_letter.delete", letter)
    messages.success(request, f"Dead letter {seq} was deleted.")
    return redirect("admin:dead_letters")


def readable(body: bytes) -> str:
    """The beginning of `body` for people: indented if it is JSON, text in any case."""
    text = body[:MOST_SHOWN_BYTES].decode("utf-8", errors="backslashreplace")
    if len(body) <= MOST_SHOWN_BYTES:
        try:
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            return text
    return text[:MOST_SHOWN_BYTES]


def _ask(
    request: HttpRequest, letter: Letter, verb: str, advice: str, *, is_dangerous: bool
) -> HttpResponseBase:
    context = {
        **_context(request, f"Dead letter {letter.seq}: {verb.lower()}?"),
        "letter": letter,
        "verb": verb,
        "advice": advice,
        "is_dangerous": is_dangerous,
        "refusal": "" if is_dangerous else letter.why_not_put_back,
    }
    return TemplateResponse(request, "admin/dead_letters/confirm.html", context)


def _note(request: HttpRequest, action: str, letter: Letter) -> None:
    audit.record(
        actor=actor_of(request),
        action=action,
        kind="dead_letter",
        subject_id=letter.seq,
        subject=letter.subject,
        reason=letter.reason,
        size=letter.size,
        of_request=letter.request_id,
    )


def _computation_of(letter: Letter) -> Computation | None:
    """The job that an order was for: it is better requeued there, where its callers see it."""
    if letter.subject != streams.EXPLAIN:
        return None
    try:
        job_id = decode(letter.body, ExplainOrder).job_id
    except PayloadRefused:
        return None
    return Computation.objects.filter(pk=job_id).only("symbol", "depth", "state").first()


def _letter(seq: int) -> Letter:
    return dead_letter_box.get_letter(_url(), _seq(seq))


def _seq(seq: int) -> int:
    if not 0 < seq <= _LARGEST_SEQ:
        raise Http404
    return seq


def _number(text: str) -> int | None:
    """A number of a letter; None for anything else."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= 18
    return int(text) or None if is_number else None


def _url() -> str:
    return str(settings.GATEWAY.nats_url)


def _context(request: HttpRequest, title: str) -> dict[str, Any]:
    return {**admin.site.each_context(request), "title": title}
