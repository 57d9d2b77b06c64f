"""Accounts in the admin: numbers beside them, changes audited, and none deleted with its keys."""

from __future__ import annotations

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import actions
from accounts.models import Account, Tier
from tests.accounts.admin.conftest import Staff, World, events

LIST = "/admin/accounts/account/"


def test_302_for_a_new_account_that_is_audited(staff: Staff) -> None:
    free = Tier.objects.get(name="free")
    sent = {"name": "Borealis", "tier": free.pk, "is_active": "on"}
    assert staff("operator").post(LIST + "add/", sent).status_code == 302
    assert events("account.create")[-1].detail == {"name": "Borealis", "tier": "free", "is_active": True}


def test_a_change_is_audited_with_from_and_to(world: World, staff: Staff) -> None:
    enterprise = Tier.objects.get(name="enterprise")
    sent = {"name": "Acme", "tier": enterprise.pk}
    assert staff("operator").post(f"{LIST}{world.account.pk}/change/", sent).status_code == 302
    (event,) = events("account.change")
    assert event.detail == {
        "tier": {"from": "pro", "to": "enterprise"},
        "is_active": {"from": True, "to": False},
    }
    assert event.actor == "user the-operator"


def test_302_with_the_reason_when_an_account_with_keys_is_deleted(world: World, staff: Staff) -> None:
    page = f"{LIST}{world.account.pk}/delete/"
    response = staff("admin").post(page, {"post": "yes"}, follow=True)
    assert "switch the account off instead" in response.content.decode()
    assert Account.objects.filter(pk=world.account.pk).exists()


def test_an_account_without_keys_is_deleted_and_audited(staff: Staff) -> None:
    empty = Account.objects.create(name="empty", tier=Tier.objects.get(name="free"))
    assert staff("admin").post(f"{LIST}{empty.pk}/delete/", {"post": "yes"}).status_code == 302
    assert events("account.delete")[-1].detail["name"] == "empty"


def test_no_account_is_deleted_together_with_one_that_has_keys(world: World, staff: Staff) -> None:
    empty = Account.objects.create(name="empty", tier=Tier.objects.get(name="free"))
    sent = {"action": "delete_selected", "_selected_action": [empty.pk, world.account.pk], "post": "yes"}
    response = staff("admin").post(LIST, sent)
    assert "switch the account off instead" in response.content.decode()
    assert Account.objects.count() == 2


def test_the_history_is_the_audit_of_the_account(world: World, staff: Staff) -> None:
    response = staff("viewer").get(f"{LIST}{world.account.pk}/history/")
    assert response["Location"] == f"/admin/accounts/auditevent/?kind__exact=account&q={world.account.pk}"


@pytest.mark.parametrize("number", [1, 12])
def test_the_list_takes_the_same_queries_however_many_accounts_there_are(
    number: int, world: World, staff: Staff, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for place in range(number):
        account = Account.objects.create(name=f"account {place}", tier=world.account.tier)
        actions.issue_key(
            account=account, tier=account.tier, actor="command test", now=timezone.now(), name="one"
        )
    client = staff("viewer")
    # Session, user, tiers for the filter, two counts, and the page with its numbers.
    with django_assert_num_queries(6):
        text = client.get(LIST).content.decode()
    assert ">7<" in text
    assert text.count("account__id__exact") == number + 1
