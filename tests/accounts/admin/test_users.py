"""People in the admin: who may raise whom, and what is told of it. Never a password or its hash."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, User
from tests.accounts.admin.conftest import Staff, World, events

LIST = "/admin/accounts/user/"
PASSWORD = "a-long-enough-password-7"


def form(user: User, **changes: Any) -> dict[str, Any]:
    """The fields of a person's page, with `changes`; a value of None is a box that is not ticked."""
    values: dict[str, Any] = {
        "username": user.username,
        "first_name": "",
        "last_name": "",
        "email": "",
        "role": user.role,
        "account": user.account_id or "",
        "is_staff": "on" if user.is_staff else None,
        "is_active": "on" if user.is_active else None,
        **changes,
    }
    return {field: value for field, value in values.items() if value is not None}


def test_302_for_a_new_person_whose_password_is_kept_out_of_the_audit(staff: Staff) -> None:
    sent = {
        "username": "ann",
        "role": "operator",
        "is_staff": "on",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "usable_password": "true",
    }
    assert staff("admin").post(LIST + "add/", sent).status_code == 302
    ann = User.objects.get(username="ann")
    assert ann.check_password(PASSWORD)
    assert (ann.role, ann.is_staff, ann.is_superuser) == ("operator", True, False)
    told = str(events("user.create")[-1].detail)
    assert "'role': 'operator'" in told
    assert "password" not in told
    assert ann.password not in told


def test_a_change_of_rights_is_audited_with_from_and_to(world: World, staff: Staff) -> None:
    sent = form(world.person, role="operator", is_staff="on", account=world.account.pk)
    assert staff("admin").post(f"{LIST}{world.person.pk}/change/", sent).status_code == 302
    (event,) = events("user.change")
    assert event.detail == {
        "role": {"from": "viewer", "to": "operator"},
        "account": {"from": None, "to": "Acme"},
        "is_staff": {"from": False, "to": True},
    }


@pytest.mark.parametrize("role", ["admin", "superuser"])
def test_nobody_changes_their_own_rights(role: str, staff: Staff) -> None:
    client = staff(role)
    me = User.objects.get(username=f"the-{role}")
    before = (me.role, me.is_staff, me.is_superuser, me.is_active)
    sent = form(me, role="viewer", is_superuser="on", is_active=None, first_name="Ann")
    assert client.post(f"{LIST}{me.pk}/change/", sent).status_code == 302
    me.refresh_from_db()
    assert (me.role, me.is_staff, me.is_superuser, me.is_active) == before
    assert me.first_name == "Ann"


def test_only_superusers_make_superusers(world: World, staff: Staff) -> None:
    page, sent = f"{LIST}{world.person.pk}/change/", form(world.person, is_superuser="on")
    assert staff("admin").post(page, sent).status_code == 302
    assert not User.objects.get(pk=world.person.pk).is_superuser
    assert staff("superuser").post(page, sent).status_code == 302
    assert User.objects.get(pk=world.person.pk).is_superuser
    assert events("user.change")[-1].detail == {"is_superuser": {"from": False, "to": True}}


@pytest.mark.parametrize("page", ["change/", "password/", "delete/"])
def test_403_when_an_admin_touches_a_superuser(page: str, staff: Staff) -> None:
    boss = User.objects.create(username="boss", password="!", is_superuser=True, is_staff=True)
    sent = {"password1": PASSWORD, "password2": PASSWORD, "post": "yes", "usable_password": "true"}
    assert staff("admin").post(f"{LIST}{boss.pk}/{page}", sent).status_code == 403
    boss.refresh_from_db()
    assert boss.password == "!"


def test_no_superuser_is_deleted_with_others_by_an_admin(world: World, staff: Staff) -> None:
    boss = User.objects.create(username="boss", password="!", is_superuser=True)
    sent = {"action": "delete_selected", "_selected_action": [boss.pk, world.person.pk], "post": "yes"}
    response = staff("admin").post(LIST, sent)
    assert "only superusers delete them" in response.content.decode()
    assert User.objects.filter(pk__in=[boss.pk, world.person.pk]).count() == 2


def test_nobody_deletes_themselves(staff: Staff) -> None:
    client = staff("superuser")
    me = User.objects.get(username="the-superuser")
    response = client.post(f"{LIST}{me.pk}/delete/", {"post": "yes"}, follow=True)
    assert "You cannot delete yourself" in response.content.decode()
    assert User.objects.filter(pk=me.pk).exists()


def test_a_person_is_deleted_with_their_logins_and_audited(world: World, staff: Staff) -> None:
    response = staff("admin").post(f"{LIST}{world.person.pk}/delete/", {"post": "yes"})
    assert response.status_code == 302
    assert not User.objects.filter(pk=world.person.pk).exists()
    assert events("user.delete")[-1].subject == "person"


def test_200_with_a_styled_page_and_302_with_an_event_for_another_password(
    world: World, staff: Staff
) -> None:
    client, page = staff("admin"), f"{LIST}{world.person.pk}/password/"
    assert "unfold" in client.get(page).content.decode()
    sent = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    assert client.post(page, {**sent, "password2": "another"}).status_code == 200
    assert not events("user.password")
    assert client.post(page, sent).status_code == 302
    world.person.refresh_from_db()
    assert world.person.check_password(PASSWORD)
    (event,) = events("user.password")
    assert (event.subject, event.detail) == ("person", {})


def test_302_with_an_event_for_a_new_password_of_ones_own(staff: Staff) -> None:
    client = staff("viewer")
    me = User.objects.get(username="the-viewer")
    me.set_password(PASSWORD)
    me.save()
    client.force_login(me)
    new = PASSWORD + "-new"
    sent = {"old_password": "wrong", "new_password1": new, "new_password2": new}
    assert client.post("/admin/password_change/", sent).status_code == 200
    assert not events("user.password")
    assert client.post("/admin/password_change/", {**sent, "old_password": PASSWORD}).status_code == 302
    assert [event.actor for event in events("user.password")] == ["user the-viewer"]


def test_no_page_and_no_event_shows_a_hash(world: World, staff: Staff) -> None:
    world.person.set_password(PASSWORD)
    world.person.save()
    marked = world.person.password.split("$")[-1]
    client: Client = staff("admin")
    for page in (LIST, f"{LIST}{world.person.pk}/change/", f"{LIST}{world.person.pk}/password/"):
        assert marked[:12] not in client.get(page).content.decode()
    assert staff("viewer").get(f"{LIST}{world.person.pk}/change/").content.decode().count(marked[:12]) == 0
    assert not [event for event in AuditEvent.objects.all() if marked in str(vars(event))]
