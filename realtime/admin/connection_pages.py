"""Who is connected, as a page: asked of every server process each time, and nothing kept between.

Operators look and admins disconnect. Viewers do not: every look is work for all processes, and shows
addresses. Redis away is a page as well.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.timesince import timesince
from django.views.decorators.http import require_http_methods, require_safe

from accounts import audit
from accounts.admin.rights import actor_of, may
from realtime import roll_call
from realtime.admin.whose import Owner, owners_of, wanted_by
from realtime.roll_call import RollCall, RollCallUnavailable
from realtime.roster import Process, ProcessReport, Row, Wanted

LOOK_ROLE = "viewer"
DISCONNECT_ROLE = "admin"
MOST_SHOWN = 200
MOST_AT_ONCE = 500
AUDIT_KIND = "connection"
_LATE_US = 1_000_000
_MANY_WAITING = 500
_View = Callable[[HttpRequest], HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Shown:
    """A row as the page shows it."""

    row: Row
    process: Process
    owner: Owner

    @property
    def age(self) -> str:
        """How long it has been open."""
        told = timesince(self.row.since)
        return "just now" if told.startswith("0") else told

    @property
    def lag(self) -> str:
        """How far behind, in words of one size."""
        lag_ms = self.row.late_us / 1000
        return "-" if not lag_ms else f"{lag_ms:.0f} ms" if lag_ms < 1000 else f"{lag_ms / 1000:.1f} s"

    @property
    def is_late(self) -> bool:
        """True where it is further behind than the client asked to be."""
        return self.row.late_us >= _LATE_US

    @property
    def waits_much(self) -> bool:
        """True where half of the buffer is full."""
        return self.row.waiting >= _MANY_WAITING

    @property
    def first_symbols(self) -> str:
        """The first few."""
        return ", ".join(symbol for symbol, _ in self.row.symbols[:3])

    @property
    def more_symbols(self) -> int:
        """How many are not among the first few."""
        return max(0, self.row.symbol_count - 3)

    @property
    def unnamed_symbols(self) -> int:
        """How many the process did not name."""
        return self.row.symbol_count - len(self.row.symbols)

    @property
    def terms(self) -> list[tuple[str, str]]:
        """Symbols by the terms on which they are followed."""
        by_terms = sorted(self.row.symbols, key=lambda pair: pair[1])
        return [
            (terms, ", ".join(symbol for symbol, _ in pairs))
            for terms, pairs in groupby(by_terms, key=lambda pair: pair[1])
        ]


def urls() -> list[URLPattern]:
    """The pages of the connections."""
    view = admin.site.admin_view
    return [
        path("connections/", view(show_list), name="connections"),
        path("connections/disconnect/", view(disconnect), name="connections_disconnect"),
    ]


def may_look(request: HttpRequest) -> bool:
    """For the sidebar."""
    return may(request, LOOK_ROLE)


def _for_role(role: str) -> Callable[[_View], _View]:
    def decorate(view: _View) -> _View:
        @functools.wraps(view)
        def checked(request: HttpRequest) -> HttpResponseBase:
            if not may(request, role):
                raise PermissionDenied
            return view(request)

        return checked

    return decorate


@_for_role(LOOK_ROLE)
@require_safe
def show_list(request: HttpRequest) -> HttpResponseBase:
    """The worst of those that ``q`` is about; with ``part``, only what changes from one look to the next."""
    search = request.GET.get("q", "").strip()
    wanted = wanted_by(search)
    try:
        roll, is_away = roll_call.call_roll(wanted, most=MOST_SHOWN), False
    except RollCallUnavailable:
        roll, is_away = RollCall(), True
    context = {
        "roll": roll,
        "shown": _shown(roll.worst(MOST_SHOWN)),
        "is_away": is_away,
        "search": search,
        "now": timezone.now(),
        "may_disconnect": may(request, DISCONNECT_ROLE),
    }
    template = "admin/connections/found.html"
    if "part" not in request.GET:
        template = "admin/connections/list.html"
        context |= admin.site.each_context(request) | {"title": "Connections"}
    return TemplateResponse(request, template, context, status=503 if is_away else 200)


@_for_role(DISCONNECT_ROLE)
@require_http_methods(["GET", "HEAD", "POST"])
def disconnect(request: HttpRequest) -> HttpResponseBase:
    """Ask; then close the connections that were chosen, and note whose they were."""
    ids = list(dict.fromkeys(request.POST.getlist("connection")))
    back = _back(request)
    if request.method != "POST" or not ids:
        if request.method == "POST":
            messages.warning(request, "Choose connections first.")
        return redirect(back)
    if len(ids) > MOST_AT_ONCE:
        messages.error(request, f"Choose {MOST_AT_ONCE} connections at most.")
        return redirect(back)
    try:
        found = _shown(roll_call.call_roll(Wanted(ids=ids), most=MOST_AT_ONCE).worst(MOST_AT_ONCE))
    except RollCallUnavailable:
        return _refuse(request, "Nothing was done; try again in a moment.")
    if "confirmed" not in request.POST:
        return _ask(request, found, back) if found else _tell_gone(request, back)
    try:
        closed = _close(ids)
    except RollCallUnavailable:
        _note(request, found, set())
        return _refuse(request, "It is not known whether they were closed. Look again in a moment.")
    told = {one.row.id: one for one in (*found, *closed)}
    _note(request, told.values(), {one.row.id for one in closed})
    _tell(request, asked=len(ids), told=len(told), closed=len(closed))
    return redirect(back)


def _close(ids: list[str]) -> list[Shown]:
    _, answers = roll_call.disconnect(ids)
    owners = owners_of([row for answer in answers for row in answer.rows])
    return [Shown(row, answer.process, owners[row.id]) for answer in answers for row in answer.rows]


def _shown(rows: list[tuple[ProcessReport, Row]]) -> list[Shown]:
    owners = owners_of([row for _, row in rows])
    return [Shown(row, report.process, owners[row.id]) for report, row in rows]


def _ask(request: HttpRequest, found: list[Shown], back: str) -> HttpResponseBase:
    number = len(found)
    context = {
        **admin.site.each_context(request),
        "title": "Disconnect this connection?" if number == 1 else f"Disconnect {number} connections?",
        "found": found,
        "search": request.POST.get("q", ""),
        "back": back,
    }
    return TemplateResponse(request, "admin/connections/confirm.html", context)


@transaction.atomic
def _note(request: HttpRequest, told: Iterable[Shown], closed: set[str]) -> None:
    """An event for each; those of which no process has said that they are closed are noted as such."""
    for one in told:
        row = one.row
        audit.record(
            actor=actor_of(request),
            action="connection.disconnect",
            kind=AUDIT_KIND,
            subject_id=row.id,
            subject=str(one.owner),
            outcome="closed" if row.id in closed else "not confirmed",
            caller=row.name,
            account_id=row.account_id,
            client_address=row.address,
            since=row.since.isoformat(),
            process=f"{one.process.host} {one.process.pid}",
        )


def _tell(request: HttpRequest, *, asked: int, told: int, closed: int) -> None:
    if closed:
        messages.success(request, f"Closed: {closed:,}.")
    if told > closed:
        messages.warning(
            request,
            f"Not confirmed: {told - closed:,}. Their server process did not say in time that it has closed "
            "them; look whether they are still here.",
        )
    if asked > told:
        messages.info(request, f"Gone before they could be closed: {asked - told:,}.")


def _tell_gone(request: HttpRequest, back: str) -> HttpResponseBase:
    messages.info(request, "They have gone already, or their server process did not answer in time.")
    return redirect(back)


def _refuse(request: HttpRequest, advice: str) -> HttpResponseBase:
    return cast(Any, admin.site).refuse(request, 503, "Redis does not answer", advice)  # type: ignore[no-any-return]


def _back(request: HttpRequest) -> str:
    """The list at the search that one came from."""
    search = request.POST.get("q", "")
    query = f"?{urlencode({'q': search})}" if search else ""
    return reverse("admin:connections") + query
