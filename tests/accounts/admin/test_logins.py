"""Logins in the admin: seen by all staff, ended by operators after a question."""

from __future__ import annotations

from django.utils import timezone

from accounts.models import TokenFamily
from accounts.staff_actions import end_logins
from tests.accounts.admin.conftest import Staff, World, events

LIST = "/admin/accounts/tokenfamily/"


def test_logins_are_ended_after_a_question_and_audited(world: World, staff: Staff) -> None:
    client = staff("operator")
    chosen = {"action": "end_selected", "_selected_action": [str(world.family.pk)]}
    assert "cannot be undone" in client.post(LIST, chosen).content.decode()
    world.family.refresh_from_db()
    assert world.family.revoked_at is None
    done = client.post(LIST, {**chosen, "confirmed": "1"}, follow=True)
    assert "Logins ended: 1." in done.content.decode()
    world.family.refresh_from_db()
    assert (world.family.revoked_at is not None, world.family.revoked_because) == (True, "staff")
    (event,) = events("session.logout")
    assert (event.actor, event.subject) == ("user the-operator", "login of person")


def test_a_login_that_has_ended_is_not_ended_again(world: World) -> None:
    now = timezone.now()
    assert end_logins(families=[world.family], actor="user x", now=now) == 1
    assert end_logins(families=[world.family], actor="user x", now=now) == 0
    assert end_logins(families=[world.family], actor="user x", now=world.family.expires_at) == 0
    assert len(events("session.logout")) == 1


def test_a_viewer_ends_no_login_whatever_is_sent(world: World, staff: Staff) -> None:
    sent = {"action": "end_selected", "_selected_action": [str(world.family.pk)], "confirmed": "1"}
    staff("viewer").post(LIST, sent)
    assert TokenFamily.objects.get().revoked_at is None


def test_no_fingerprint_is_shown(world: World, staff: Staff) -> None:
    TokenFamily.objects.update(password_fingerprint="fingerprint-of-a-password")
    for page in (LIST, f"{LIST}{world.family.pk}/change/"):
        assert "fingerprint-of" not in staff_text(staff, page)


def staff_text(staff: Staff, page: str) -> str:
    """What an admin reads at `page`."""
    from accounts.models import User

    User.objects.filter(username="the-admin").delete()
    return staff("admin").get(page).content.decode()
