"""The pages on which keys are shown once, rotated and revoked."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import redis
from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts import actions
from accounts.actions import OVERLAPS, IssuedKey, KeyAlreadyRotated, KeyNotUsable, TooManyKeys
from accounts.admin.key_forms import RotationForm
from accounts.admin.rights import actor_of
from accounts.models import ApiKey
from accounts.staff_actions import revoke_keys

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 500
_FORM_REMEMBERED_S = 86_400


class SentBefore(Exception):
    """The form has made its key already: it was sent twice, or its answer was reloaded."""


def is_first_time(form_id: str) -> bool:
    """True for the first sending of the form `form_id`, by which of several at once the store lets through.

    While the store is away every sending counts as the first: a key too many is listed and can be revoked.
    """
    try:
        name = str(uuid.UUID(form_id))
    except ValueError:
        return False
    try:
        return bool(cache.add(f"form:{name}", 1, timeout=_FORM_REMEMBERED_S))
    except (redis.RedisError, OSError) as error:
        logger.warning("forms that are sent twice cannot be told: %s", type(error).__name__)
        return True


def show_once(
    model_admin: Any, request: HttpRequest, issued: IssuedKey, *, replaced: ApiKey | None
) -> HttpResponse:
    """The page with the secret. Nothing keeps it: not the browser's cache, and not the address."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Your new key" if replaced is None else "The key was rotated",
        "opts": model_admin.opts,
        "key": issued.key,
        "secret": issued.secret,
        "replaced": replaced,
        "base_url": request.build_absolute_uri("/").rstrip("/"),
    }
    response = TemplateResponse(request, "admin/keys/issued.html", context)
    response["Cache-Control"] = "no-store"
    return response


def rotate(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponseBase:
    """Ask for the overlap; then rotate and show the new key once."""
    key = _find(model_admin, request, object_id)
    if not model_admin.has_rotate_permission(request, key) and key.revoked_at is None:
        raise PermissionDenied
    form = RotationForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        overlap = OVERLAPS[form.cleaned_data["overlap"]]
        try:
            issued = actions.rotate_key(key=key, overlap=overlap, actor=actor_of(request), now=timezone.now())
        except KeyNotUsable:
            return _tell(model_admin, request, key, "The key has ended; make a new one instead.")
        except KeyAlreadyRotated:
            return _tell(model_admin, request, key, "The key was rotated before; rotate its successor.")
        except TooManyKeys:
            return _tell(
                model_admin, request, key, "The account has too many usable keys; revoke some first."
            )
        key.refresh_from_db()
        return show_once(model_admin, request, issued, replaced=key)
    context = _context(model_admin, request, key, f"Rotate {key}?") | {"form": form}
    return TemplateResponse(request, "admin/keys/rotate.html", context)


def revoke(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponseBase:
    """Ask; then revoke."""
    key = _find(model_admin, request, object_id)
    if not model_admin.has_revoke_permission(request, key):
        raise PermissionDenied
    if request.method != "POST":
        context = _context(model_admin, request, key, f"Revoke {key}?")
        return TemplateResponse(request, "admin/keys/revoke.html", context)
    if not actions.revoke_key(key=key, actor=actor_of(request), now=timezone.now()):
        return _tell(model_admin, request, key, "The key had been revoked before.")
    model_admin.message_user(request, f"{key} is revoked.", messages.SUCCESS)
    return redirect("admin:accounts_apikey_change", key.pk)


def revoke_selected(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[ApiKey]
) -> HttpResponseBase | None:
    """Ask; then revoke all of `queryset`."""
    chosen = list(queryset.select_related("account")[: MOST_AT_ONCE + 1])
    if len(chosen) > MOST_AT_ONCE:
        model_admin.message_user(request, f"Choose {MOST_AT_ONCE} keys at most.", messages.ERROR)
        return None
    if "confirmed" in request.POST:
        number = revoke_keys(keys=chosen, actor=actor_of(request), now=timezone.now())
        model_admin.message_user(request, f"Keys revoked: {number}.", messages.SUCCESS)
        return None
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Revoke these keys?",
        "advice": "Every call with them is refused within a second. This cannot be undone.",
        "verb": "Revoke the keys",
        "action": "revoke_selected",
        "things": chosen,
        "opts": model_admin.opts,
    }
    return TemplateResponse(request, "admin/confirm_selected.html", context)


def _find(model_admin: Any, request: HttpRequest, object_id: str) -> ApiKey:
    key = model_admin.get_object(request, object_id)
    if not isinstance(key, ApiKey):
        raise Http404
    return key


def _tell(model_admin: Any, request: HttpRequest, key: ApiKey, text: str) -> HttpResponse:
    model_admin.message_user(request, text, messages.ERROR)
    return redirect("admin:accounts_apikey_change", key.pk)


def _context(model_admin: Any, request: HttpRequest, key: ApiKey, title: str) -> dict[str, Any]:
    return {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "key": key,
        "original": key,
    }
