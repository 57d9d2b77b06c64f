"""Tiers with their limits, and the limits for everybody: checked, audited, and kept where they are needed."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Limit, Tier
from tests.accounts.admin.conftest import Staff, World, events

TIERS = "/admin/accounts/tier/"
LIMITS = "/admin/accounts/limit/"


def limit_row(place: int, **values: Any) -> dict[str, Any]:
    """The fields of one limit on the page of its tier."""
    row = {"name": "hourly", "scope": "account", "quota": 100, "window_s": 3600, "burst": "", "route": ""}
    return {f"limits-{place}-{field}": value for field, value in (row | values).items()}


def tier_form(*rows: dict[str, Any], initial: int = 0, **values: Any) -> dict[str, Any]:
    """The fields of a tier's page."""
    form: dict[str, Any] = {"name": "gold", "description": "For friends", "when_redis_is_down": "local"}
    form |= {"most_connections": "", "frames_per_s": "", **values}
    form |= {"limits-TOTAL_FORMS": len(rows), "limits-INITIAL_FORMS": initial}
    for row in rows:
        form |= row
    return form


def page_of(tier: Tier, page: str = "change") -> str:
    """The address of a page of `tier`."""
    return reverse(f"admin:accounts_tier_{page}", args=[tier.pk])


@pytest.fixture
def admin_client(staff: Staff) -> Client:
    """An admin."""
    return staff("admin")


def test_302_for_a_new_tier_with_limits_each_audited(admin_client: Client) -> None:
    sent = tier_form(
        limit_row(0), limit_row(1, name="burst", quota=5, window_s=1, burst=9, route="prediction")
    )
    assert admin_client.post(TIERS + "add/", sent).status_code == 302
    tier = Tier.objects.get(name="gold")
    assert tier.limits.count() == 2
    assert events("tier.create")[-1].detail == {
        "name": "gold",
        "description": "For friends",
        "when_redis_is_down": "local",
        "most_connections": None,
        "frames_per_s": None,
    }
    hourly, burst = events("limit.create")
    assert (hourly.subject, burst.subject) == ("hourly of gold", "burst of gold")
    assert burst.detail["changes"]["route"] == "prediction"


def test_a_changed_and_a_deleted_limit_are_audited_with_what_they_were(admin_client: Client) -> None:
    tier = Tier.objects.create(name="gold", description="For friends")
    kept = Limit.objects.create(tier=tier, name="hourly", quota=100, window_s=3600)
    gone = Limit.objects.create(tier=tier, name="burst", quota=5, window_s=1, burst=9)
    sent = tier_form(
        limit_row(0, quota=200, id=kept.pk, tier=tier.pk),
        limit_row(1, name="burst", id=gone.pk, tier=tier.pk, DELETE="on"),
        initial=2,
    )
    ordered = list(tier.limits.all())
    if ordered[0] == gone:
        sent = tier_form(
            limit_row(0, name="burst", id=gone.pk, tier=tier.pk, DELETE="on"),
            limit_row(1, quota=200, id=kept.pk, tier=tier.pk),
            initial=2,
        )
    assert admin_client.post(page_of(tier), sent).status_code == 302
    assert events("limit.change")[-1].detail["changes"] == {"quota": {"from": 100, "to": 200}}
    assert events("limit.delete")[-1].detail["changes"]["burst"] == 9
    assert not events("tier.change")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([limit_row(0), limit_row(1)], "another limit with this name"),
        ([limit_row(0, quota=0)], "greater than or equal to 1"),
        ([limit_row(0, window_s=99 * 86_400)], "less than or equal to"),
        ([limit_row(0, route="health-ready")], "Select a valid choice"),
        ([limit_row(0, burst=0)], "greater than or equal to 1"),
    ],
)
def test_200_with_the_form_when_a_limit_is_wrong(
    rows: list[dict[str, Any]], told: str, admin_client: Client
) -> None:
    response = admin_client.post(TIERS + "add/", tier_form(*rows))
    assert told in response.content.decode()
    assert not Tier.objects.filter(name="gold").exists()


def test_200_with_the_form_when_two_limits_swap_their_names(admin_client: Client) -> None:
    tier = Tier.objects.create(name="gold", description="For friends")
    one = Limit.objects.create(tier=tier, name="one", quota=1, window_s=1)
    two = Limit.objects.create(tier=tier, name="two", quota=1, window_s=1)
    sent = tier_form(
        limit_row(0, name="two", id=one.pk, tier=tier.pk),
        limit_row(1, name="one", id=two.pk, tier=tier.pk),
        initial=2,
    )
    response = admin_client.post(page_of(tier), sent)
    assert "save that change first" in response.content.decode()
    assert not events("limit.change")


def test_200_with_the_form_when_two_limits_for_everybody_share_a_name(
    world: World, admin_client: Client
) -> None:
    sent = {"name": "flood", "scope": "global", "quota": 5, "window_s": 60, "burst": "", "route": ""}
    response = admin_client.post(LIMITS + "add/", sent)
    assert response.status_code == 200
    assert "another limit with this name" in response.content.decode()
    assert Limit.objects.filter(tier=None).count() == 1


def test_limits_for_everybody_are_made_changed_and_deleted_with_their_events(admin_client: Client) -> None:
    sent = {
        "name": "flood",
        "scope": "global",
        "quota": 5,
        "window_s": 60,
        "burst": "",
        "route": "predictions",
    }
    assert admin_client.post(LIMITS + "add/", sent).status_code == 302
    limit = Limit.objects.get(tier=None)
    assert limit.route == "predictions"
    page = f"{LIMITS}{limit.pk}/"
    assert admin_client.post(page + "change/", {**sent, "quota": 6}).status_code == 302
    assert admin_client.post(page + "delete/", {"post": "yes"}).status_code == 302
    assert events("limit.change")[-1].detail == {"quota": {"from": 5, "to": 6}}
    assert events("limit.delete")[-1].detail["quota"] == 6


def test_limits_of_tiers_are_not_on_the_list_for_everybody(world: World, admin_client: Client) -> None:
    text = admin_client.get(LIMITS).content.decode()
    assert "flood" in text
    assert "hourly" not in text
    of_a_tier = Limit.objects.filter(tier__isnull=False)[0]
    assert admin_client.get(f"{LIMITS}{of_a_tier.pk}/change/").status_code == 302


def test_302_with_the_reason_when_a_tier_that_is_used_is_deleted(world: World, admin_client: Client) -> None:
    world.account.tier = world.tier
    world.account.save()
    response = admin_client.post(page_of(world.tier, "delete"), {"post": "yes"}, follow=True)
    assert "used by 0 keys and 1 accounts" in response.content.decode()
    assert Tier.objects.filter(pk=world.tier.pk).exists()


def test_403_when_a_seeded_tier_is_deleted(admin_client: Client) -> None:
    for name in ("anonymous", "free", "pro", "enterprise"):
        tier = Tier.objects.get(name=name)
        assert admin_client.post(page_of(tier, "delete"), {"post": "yes"}).status_code == 403
    assert Tier.objects.count() == 4


def test_no_tier_is_deleted_with_others_that_have_to_stay(world: World, admin_client: Client) -> None:
    chosen = [world.tier.pk, Tier.objects.get(name="free").pk]
    sent = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
    response = admin_client.post(TIERS, sent)
    assert "is part of the gateway and stays" in response.content.decode()
    assert Tier.objects.count() == 5


def test_many_tiers_are_deleted_each_with_its_event_and_those_of_its_limits(
    world: World, admin_client: Client
) -> None:
    Limit.objects.create(tier=world.tier, name="hourly", quota=1, window_s=1)
    other = Tier.objects.create(name="other")
    sent = {"action": "delete_selected", "_selected_action": [world.tier.pk, other.pk], "post": "yes"}
    assert admin_client.post(TIERS, sent).status_code == 302
    assert {event.subject for event in events("tier.delete")} == {"unused", "other"}
    assert events("limit.delete")[-1].subject == "hourly of unused"


def test_a_seeded_tier_keeps_its_name_whatever_is_sent(admin_client: Client) -> None:
    free = Tier.objects.get(name="free")
    rows = [
        limit_row(
            place, name=limit.name, quota=limit.quota, window_s=limit.window_s, id=limit.pk, tier=free.pk
        )
        for place, limit in enumerate(free.limits.all())
    ]
    sent = tier_form(*rows, initial=len(rows), name="costly", description="Still free", most_connections=5)
    assert admin_client.post(page_of(free), sent).status_code == 302
    free.refresh_from_db()
    assert (free.name, free.description) == ("free", "Still free")
    assert events("tier.change")[-1].detail == {
        "description": {"from": "For trying it out", "to": "Still free"}
    }


def test_302_when_a_tier_gets_other_sockets_audited_with_from_and_to(admin_client: Client) -> None:
    tier = Tier.objects.create(name="gold", description="For friends", most_connections=5)
    sent = tier_form(most_connections=0, frames_per_s=1)
    assert admin_client.post(page_of(tier), sent).status_code == 302
    assert events("tier.change")[-1].detail == {
        "most_connections": {"from": 5, "to": 0},
        "frames_per_s": {"from": None, "to": 1},
    }
    assert admin_client.post(page_of(tier), tier_form()).status_code == 302
    tier.refresh_from_db()
    assert (tier.most_connections, tier.frames_per_s) == (None, None)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("most_connections", -1, "greater than or equal to 0"),
        ("most_connections", 10**10, "less than or equal to"),
        ("frames_per_s", 0, "greater than or equal to 1"),
        ("frames_per_s", 1001, "less than or equal to 1000"),
    ],
)
def test_200_with_the_form_when_the_sockets_of_a_tier_are_wrong(
    field: str, value: int, told: str, admin_client: Client
) -> None:
    response = admin_client.post(TIERS + "add/", tier_form(**{field: value}))
    assert response.status_code == 200
    assert told in response.content.decode()
    assert not Tier.objects.filter(name="gold").exists()


def test_the_list_of_tiers_says_how_many_sockets_an_account_may_have(admin_client: Client) -> None:
    Tier.objects.exclude(name="pro").delete()
    cell = '<td class="field-told_connections'
    for most, told in [(50, "50"), (None, "no limit")]:
        Tier.objects.update(most_connections=most)
        shown = admin_client.get(TIERS).content.decode().partition(cell)[2].partition("</td>")[0]
        assert shown.endswith(told), shown
