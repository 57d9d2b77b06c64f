"""The admin site: a guarded login, refusals as pages for people, and a search that keeps nothing."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse

from accounts import audit, failures
from accounts.admin.look import AdminSite
from accounts.admin.rights import actor_of, may
from accounts.guards import GuardUnavailable, TooManyAttempts, guard

logger = logging.getLogger(__name__)

# One counter for a password, whichever door it is tried at.
_GROUP = "login"
_FAILURE = "admin-login"
_LONGEST_SEARCH = 200


def environment_label(request: HttpRequest) -> list[str]:
    """What stands at the top of every page, so that nobody takes production for anything else."""
    name = "development" if settings.DEBUG else settings.GATEWAY.environment
    return [name, "danger" if name == "production" else "info"]


class GatewayAdminSite(AdminSite):
    """Unfold's site for staff of every role."""

    site_title = site_header = "Prediction Gateway"
    index_title = "Overview"

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff with any role."""
        return may(request, "viewer")

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Django's login with the guard of ``/auth/login`` in front; failures are counted."""
        if request.method != "POST":
            return super().login(request, extra_context)
        username = request.POST.get("username", "")
        if refusal := self._guard(request, username):
            return refusal
        response = super().login(request, extra_context)
        address = request.META.get("REMOTE_ADDR", "")
        if response.status_code == 302:
            name = request.user.get_username()
            _note_on_user(request, "user.admin_login")
            logger.info("authentication succeeded: admin, user %s, from %s", name, address)
        else:
            failures.count(reason=_FAILURE, key="", address=address)
            logger.info("authentication failed: admin, from %s", address)
        return response

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """A new password of one's own: audited; the old one may not be guessed here either."""
        if request.method == "POST" and (refusal := self._guard(request, request.user.get_username())):
            return refusal
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if response.status_code == 302:
                _note_on_user(request, "user.password")
        return response

    def admin_view(self, view: Callable[..., HttpResponseBase], cacheable: bool = False) -> Any:
        """Django's, but who is refused reads a page instead of a problem document."""

        @functools.wraps(view)
        def for_people(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                return view(request, *args, **kwargs)
            except PermissionDenied:
                return self.refuse(
                    request,
                    403,
                    "Your role does not allow this",
                    "Ask an admin to do it, or to give you the role that may.",
                )
            except Http404:
                return self.refuse(
                    request, 404, "There is no such page", "It may have been moved or deleted."
                )

        return super().admin_view(for_people, cacheable)

    def refuse(self, request: HttpRequest, status: int, title: str, advice: str) -> HttpResponse:
        """A refusal as a page, in the frame that who asks may see."""
        context = {
            **self.each_context(request),
            "title": title,
            "advice": advice,
            "layout": "admin/base_site.html" if self.has_permission(request) else "admin/stranger.html",
        }
        response = TemplateResponse(request, "admin/refused.html", context, status=status)
        response["Cache-Control"] = "no-store"
        return response

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Unfold's search without its cache: what a role may see is asked every time."""
        term = request.GET.get("s", "").strip().lower()[:_LONGEST_SEARCH]
        if not term:
            return HttpResponse()
        app_list = self.get_app_list(request)
        results = self._search_apps(app_list, term)
        is_extended = "extended" in request.GET
        if is_extended:
            models: list[str] = settings.UNFOLD["COMMAND"]["search_models"]
            results += self._search_models(request, self.get_app_list(request), term, models)
        page = Paginator(results[:100], 100).get_page(1)
        template = "command_results" if is_extended else "search_results"
        context = {"page_obj": page.paginator, "results": page, "page_counter": 0, "execution_time": 0}
        return TemplateResponse(
            request, f"unfold/helpers/{template}.html", context, headers={"HX-Trigger": "search"}
        )

    def _guard(self, request: HttpRequest, username: str) -> HttpResponse | None:
        per_minute = settings.GATEWAY.login_attempts_per_minute
        try:
            guard(
                request,
                group=_GROUP,
                per_address=f"{10 * per_minute}/m",
                per_user=(username, f"{per_minute}/m"),
            )
        except TooManyAttempts as refused:
            wait_s = refused.retry_after_s
            response = self.refuse(
                request, 429, "Too many attempts", f"Wait {wait_s} seconds, then try again."
            )
        except GuardUnavailable as refused:
            wait_s = refused.retry_after_s
            response = self.refuse(
                request, 503, "Nobody can log in just now", "Attempts cannot be counted; try again soon."
            )
        else:
            return None
        response["Retry-After"] = str(wait_s)
        return response


def _note_on_user(request: HttpRequest, action: str) -> None:
    name = request.user.get_username()
    audit.record(
        actor=actor_of(request), action=action, kind="user", subject_id=request.user.pk, subject=name
    )
