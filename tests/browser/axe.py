"""What axe-core says of a page: the rules of WCAG 2.2 A and AA, and good practice."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.clients import npm

_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def find_violations(page: Page) -> list[str]:
    """Each violated rule with what violates it. The script comes over the debugger: no policy is relaxed."""
    page.evaluate(npm.find("axe-core/axe.min.js").read_text())
    # To name each of thousands of elements that are in order takes longer than to judge them.
    options = {"runOnly": _TAGS, "resultTypes": ["violations"]}
    found = page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{rule['id']}: {[node['target'] for node in rule['nodes']]} {rule['nodes'][0]['failureSummary']}"
        for rule in found["violations"]
    ]
