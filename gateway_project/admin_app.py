"""Django's admin, run by our own site. Apart from the looks, since settings may not import applications."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from django.contrib.admin.apps import AdminConfig

WITHOUT_ADMIN = {
    *("nats_bridge", "explain_worker", "replay_market"),
    *("create_key", "dashboard_key", "doctor", "migrate", "settle_again"),
}
"""Commands that serve no page: the admin is half of what they would wait for."""


class GatewayAdminConfig(AdminConfig):
    """Puts `accounts.admin.site.GatewayAdminSite` in the place of Django's site."""

    default_site = "accounts.admin.site.GatewayAdminSite"

    def ready(self) -> None:
        """Find every admin module, that of the site first; processes that serve no page do without.

        Django would make the site while it imports the package that registers with it, and then a second one.
        """
        if WITHOUT_ADMIN.intersection(sys.argv[1:2]):
            return
        import_module("accounts.admin")
        # Where Pygments is installed, unfold colours JSON by style attributes, which the content policy does
        # not let in.
        vars(import_module("unfold.fields"))["prettify_json"] = _leave_plain
        super().ready()


def _leave_plain(data: Any, encoder: Any) -> None:
    """As unfold's function where Pygments is missing."""
