"""How the admin looks and where its sidebar leads: the setting `UNFOLD`. The pages are `accounts.admin`'s."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _style(request: HttpRequest) -> str:
    return static("gateway_admin/admin.css")


def _script(request: HttpRequest) -> str:
    return static("gateway_admin/admin.js")


def _entry(title: str, icon: str, model: str, app: str = "accounts") -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{app}_{model}_changelist")}


# Blue, in the steps that unfold's classes ask for; 600 carries white text at 5:1.
_PRIMARY = {
    "50": "oklch(97% .014 254.604)",
    "100": "oklch(93.2% .032 255.585)",
    "200": "oklch(88.2% .059 254.128)",
    "300": "oklch(80.9% .105 251.813)",
    "400": "oklch(70.7% .165 254.624)",
    "500": "oklch(62.3% .214 259.815)",
    "600": "oklch(54.6% .245 262.881)",
    "700": "oklch(48.8% .243 264.376)",
    "800": "oklch(42.4% .199 265.638)",
    "900": "oklch(37.9% .146 265.522)",
    "950": "oklch(28.2% .091 267.935)",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Prediction Gateway",
    "SITE_HEADER": "Prediction Gateway",
    "SITE_SUBHEADER": "Keys, tiers, limits",
    "SITE_SYMBOL": "hub",
    "SITE_FAVICONS": [{"rel": "icon", "href": "data:,"}],
    "SHOW_BACK_BUTTON": True,
    "COLORS": {"primary": _PRIMARY},
    "ENVIRONMENT": "accounts.admin.site.environment_label",
    "DASHBOARD_CALLBACK": "accounts.admin.first_page.add_numbers",
    "STYLES": [_style],
    "SCRIPTS": [_script],
    "COMMAND": {"search_models": ["accounts.account", "accounts.apikey", "accounts.tier", "accounts.user"]},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "navigation": [
            {
                "items": [
                    {"title": "Overview", "icon": "dashboard", "link": reverse_lazy("admin:index")},
                    {
                        "title": "Connections",
                        "icon": "cable",
                        "link": reverse_lazy("admin:connections"),
                        "permission": "realtime.admin.connection_pages.may_look",
                    },
                ],
            },
            {
                "title": "Access",
                "separator": True,
                "items": [
                    _entry("Accounts", "domain", "account"),
                    _entry("Keys", "key", "apikey"),
                    _entry("Tiers", "layers", "tier"),
                    _entry("Limits for everybody", "speed", "limit"),
                ],
            },
            {
                "title": "Explanations and events",
                "separator": True,
                "items": [
                    _entry("Explanation jobs", "lightbulb", "computation", app="explanations"),
                    {"title": "Dead letters", "icon": "mail_off", "link": reverse_lazy("admin:dead_letters")},
                ],
            },
            {
                "title": "What happened",
                "separator": True,
                "items": [
                    _entry("Usage", "bar_chart", "usagehour"),
                    _entry("Refused credentials", "block", "authenticationfailure"),
                    _entry("Audit", "history", "auditevent"),
                ],
            },
            {
                "title": "People",
                "separator": True,
                "items": [
                    _entry("Users and roles", "person", "user"),
                    _entry("Logins", "login", "tokenfamily"),
                ],
            },
        ],
    },
}
