"""The admin of explanations: jobs, and the dead letters, which have pages of their own and no model."""

from typing import Any, cast

from django.contrib import admin

from explanations.admin import computations, letter_pages

__all__ = ["computations"]

# Unfold asks the site for pages beside those of models.
cast(Any, admin.site).extra_urls = letter_pages.urls
