"""One table of every page of the admin: which role may look, which may send. A new page has to be in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from accounts.models import Account, Tier
from tests.accounts.admin.conftest import Staff, World

ROLES = ["viewer", "operator", "admin"]
NOBODY = "nobody"

# name: (from which role on GET is answered, from which role on POST is)
PAGES: dict[str, tuple[str, str]] = {
    "index": ("viewer", "viewer"),
    "search": ("viewer", "viewer"),
    "app_list": ("viewer", "viewer"),
    "jsi18n": ("viewer", "viewer"),
    "autocomplete": ("viewer", "viewer"),
    "password_change": ("viewer", "viewer"),
    "password_change_done": ("viewer", "viewer"),
    "auth_user_password_change": ("admin", "admin"),
    "accounts_apikey_rotate": ("operator", "operator"),
    "accounts_apikey_revoke": ("viewer", "viewer"),
    "accounts_auditevent_export": ("viewer", "viewer"),
    "explanations_computation_requeue": ("operator", "operator"),
    "explanations_computation_cancel": ("operator", "operator"),
    "dead_letters": ("viewer", "viewer"),
    "dead_letter": ("viewer", "viewer"),
    "dead_letter_put_back": ("operator", "operator"),
    "dead_letter_delete": ("operator", "operator"),
    "connections": ("viewer", "viewer"),
    "connections_disconnect": ("admin", "admin"),
}
# model: from which role on rows are added, changed and deleted
MODELS = {
    "account": ("operator", "operator", "admin"),
    "apikey": ("operator", "operator", NOBODY),
    "tier": ("admin", "admin", "admin"),
    "limit": ("admin", "admin", "admin"),
    "user": ("admin", "admin", "admin"),
    "tokenfamily": (NOBODY, NOBODY, NOBODY),
    "usagehour": (NOBODY, NOBODY, NOBODY),
    "authenticationfailure": (NOBODY, NOBODY, NOBODY),
    "auditevent": (NOBODY, NOBODY, NOBODY),
    "computation": (NOBODY, NOBODY, NOBODY),
}
APPS = {model: "explanations" if model == "computation" else "accounts" for model in MODELS}
for _model, (_add, _change, _delete) in MODELS.items():
    _app = APPS[_model]
    PAGES[f"{_app}_{_model}_changelist"] = ("viewer", "viewer")
    PAGES[f"{_app}_{_model}_history"] = ("viewer", "viewer")
    PAGES[f"{_app}_{_model}_add"] = (_add, _add)
    PAGES[f"{_app}_{_model}_change"] = ("viewer", _change)
    PAGES[f"{_app}_{_model}_delete"] = (_delete, _delete)

# Open to strangers, or nothing of ours.
ELSEWHERE = {"login", "logout", "view_on_site"}


def names(patterns: list[Any] | None = None) -> Iterator[str]:
    """The names of all pages that are registered."""
    for pattern in admin.site.get_urls() if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield pattern.name


def address(name: str, world: World) -> str:
    """Where the page is."""
    rows = {
        "account": world.account,
        "apikey": world.issued.key,
        "tier": world.tier,
        "limit": world.limit,
        "user": world.person,
        "tokenfamily": world.family,
        "usagehour": world.usage,
        "authenticationfailure": world.failure,
        "auditevent": world.event,
        "computation": world.computation,
    }
    if name == "app_list":
        return reverse("admin:app_list", args=["accounts"])
    if name == "autocomplete":
        return reverse("admin:autocomplete") + "?app_label=accounts&model_name=apikey&field_name=account"
    if name == "auth_user_password_change":
        return reverse(f"admin:{name}", args=[world.person.pk])
    if name.startswith("dead_letter") and name != "dead_letters":
        return reverse(f"admin:{name}", args=[1])
    parts = name.split("_")
    if parts[0] in APPS.values() and parts[2] not in ("changelist", "add", "export"):
        return reverse(f"admin:{name}", args=[rows[parts[1]].pk])
    return reverse(f"admin:{name}")


def test_every_registered_page_is_in_the_table_and_the_other_way_round() -> None:
    assert set(names()) - ELSEWHERE == PAGES.keys(), "add the page to PAGES, with the roles that may use it"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_get_is_answered_by_role(name: str, world: World, staff: Staff) -> None:
    for role in ROLES:
        response = staff(role).get(address(name, world))
        expect(response.status_code, role, PAGES[name][0], others=answers(name))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", sorted(PAGES))
def test_post_is_answered_by_role(name: str, role: str, world: World, staff: Staff) -> None:
    response = staff(role).post(address(name, world))
    expect(response.status_code, role, PAGES[name][1], others=answers(name))


@pytest.mark.parametrize("name", sorted(PAGES))
def test_strangers_and_customers_are_sent_to_the_login(name: str, world: World, staff: Staff) -> None:
    stranger, customer, page = Client(), staff("customer"), address(name, world)
    for send in (stranger.get, stranger.post, customer.get, customer.post):
        response = send(page)
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")


def answers(name: str) -> set[int]:
    """Statuses of those who may; dead letters are asked of a NATS that is away."""
    return {405, 503} if name.startswith("dead_letter") else {200, 302, 405}


def expect(status: int, role: str, wanted: str, *, others: set[int]) -> None:
    """403 below the role that is wanted, an ordinary answer from it on."""
    allowed = wanted != NOBODY and ROLES.index(role) >= ROLES.index(wanted)
    assert status in (others if allowed else {403})


def test_403_is_a_page_for_people(world: World, staff: Staff) -> None:
    response = staff("viewer").get(reverse("admin:accounts_tier_add"))
    assert response.status_code == 403
    assert response["Content-Type"].startswith("text/html")
    assert "Your role does not allow this" in response.content.decode()


def test_404_is_a_page_for_people(staff: Staff) -> None:
    response = staff("viewer").get("/admin/nothing/")
    assert response.status_code == 404
    assert "There is no such page" in response.content.decode()


@pytest.mark.parametrize(
    ("model", "action", "wanted"),
    [
        ("account", "delete_selected", "admin"),
        ("tier", "delete_selected", "admin"),
        ("limit", "delete_selected", "admin"),
        ("user", "delete_selected", "admin"),
        ("apikey", "delete_selected", NOBODY),
        ("apikey", "revoke_selected", "viewer"),
        ("tokenfamily", "end_selected", "operator"),
        ("tokenfamily", "delete_selected", NOBODY),
        ("auditevent", "delete_selected", NOBODY),
        ("computation", "requeue_selected", "operator"),
        ("computation", "cancel_selected", "operator"),
        ("computation", "delete_selected", NOBODY),
    ],
)
@pytest.mark.parametrize("role", ROLES)
def test_bulk_actions_are_offered_by_role(
    model: str, action: str, wanted: str, role: str, world: World, staff: Staff
) -> None:
    client = staff(role)
    world.account = Account.objects.create(name="without keys", tier=Tier.objects.get(name="free"))
    row = address(f"{APPS[model]}_{model}_change", world).split("/")[-3]
    response = client.post(
        reverse(f"admin:{APPS[model]}_{model}_changelist"), {"action": action, "_selected_action": [row]}
    )
    # An action that is not offered is not run: the list is shown again.
    allowed = wanted != NOBODY and ROLES.index(role) >= ROLES.index(wanted)
    is_asked = (
        response.status_code == 200
        and "_selected_action" in response.content.decode()
        and ("confirmed" in response.content.decode() or 'name="post"' in response.content.decode())
    )
    assert is_asked or not allowed
    assert not (is_asked and not allowed)
