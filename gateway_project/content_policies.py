"""What a browser may load and run for an answer: the Content-Security-Policy of data, pages and the admin.

Data is nothing that a browser shows: nothing may be loaded for it. Pages have styles, scripts and pictures of
this server, none of them inline. The admin is unfold's, which needs more (docs/adr/0014).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Mapping

from django.conf import settings
from django.template.loader import render_to_string
from unfold.settings import get_config  # type: ignore[import-untyped]
from unfold.utils import convert_color  # type: ignore[import-untyped]

DATA = "default-src 'none'; frame-ancestors 'none'"

_PAGE = {
    "default-src": "'self'",
    "img-src": "'self' data:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
_REDOC_PATHS = ("/redoc", "/api/redoc", "/api/v1/redoc")
# ReDoc makes style elements: one of text that never changes, and empty ones, whose rules it adds by script.
# The digests let in these and no other; that of the text belongs to the version of the bundle.
_REDOC_STYLES = " ".join(
    f"'sha256-{digest}'"
    for digest in (
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc=",
    )
)
_DEVELOPMENT = {"connect-src": "'self' ws: wss:"}
_STYLE = re.compile(r"<style\b[^>]*>(.*?)</style>", re.DOTALL)


def find(path: str, content_type: str, *, is_secure: bool) -> str:
    """The policy of an answer at `path`, which came over https or not."""
    if not content_type.startswith("text/html"):
        return DATA
    if path in _REDOC_PATHS:
        return of_redoc(is_secure=is_secure)
    is_admin = path == "/admin" or path.startswith("/admin/")
    return of_admin(is_secure=is_secure) if is_admin else of_page(is_secure=is_secure)


@functools.cache
def of_page(*, is_secure: bool) -> str:
    """That of pages without anything inline."""
    return _written(_PAGE, is_secure=is_secure)


@functools.cache
def of_redoc(*, is_secure: bool) -> str:
    """That of the page of ReDoc: styles by their digests, everything else as any page."""
    return _written(_PAGE | {"style-src": f"'self' {_REDOC_STYLES}"}, is_secure=is_secure)


@functools.cache
def of_admin(*, is_secure: bool) -> str:
    """That of the admin.

    Alpine compiles what stands in `x-` attributes with `new Function`: 'unsafe-eval'. The style element with
    unfold's colours is let in by its digest. Style attributes are not: `admin.js` keeps Alpine from writing
    any.
    """
    styles = " ".join(f"'sha256-{digest}'" for digest in _digests_of_styles())
    more = {"script-src": "'self' 'unsafe-eval'", "style-src": f"'self' {styles}"}
    return _written(_PAGE | more, is_secure=is_secure)


def _written(rules: Mapping[str, str], *, is_secure: bool) -> str:
    if not settings.GATEWAY.is_production:
        rules = {**rules, **_DEVELOPMENT}
    written = [f"{name} {sources}" for name, sources in rules.items()]
    if is_secure and settings.GATEWAY.is_production:
        written.append("upgrade-insecure-requests")
    return "; ".join(written)


def _digests_of_styles() -> list[str]:
    """Of the style elements that unfold writes into every page."""
    looks = get_config()
    colors = {
        name: {weight: convert_color(color) for weight, color in weights.items()}
        for name, weights in looks["COLORS"].items()
    }
    context = {"colors": colors, "border_radius": looks.get("BORDER_RADIUS")}
    page = render_to_string("unfold/layouts/skeleton.html", context)
    return [
        base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in _STYLE.findall(page)
    ]
