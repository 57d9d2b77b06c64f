"""The admin of sockets: who is connected, which has pages of its own and no model."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin

# Its pages are added to the site first, and ours to them.
import explanations.admin
from realtime.admin import connection_pages

__all__ = ["connection_pages", "explanations"]

_site = cast(Any, admin.site)
_others = _site.extra_urls
# Unfold asks the site for pages beside those of models.
_site.extra_urls = lambda: [*_others(), *connection_pages.urls()]
