"""Keys in the admin: made and rotated with a secret shown once, changed, revoked; each audited."""

from __future__ import annotations

import logging
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.timezone import localtime
from pytest_django import DjangoAssertNumQueries

from accounts import actions, keys
from accounts.models import Account, ApiKey, AuditEvent, Tier
from tests.accounts.admin.conftest import Staff, World, events

LIST = "/admin/accounts/apikey/"
ADD = "/admin/accounts/apikey/add/"
SECRET = re.compile(r"pgw_(?:live|test)_[0-9A-Za-z]{22}_[0-9A-Za-z]{38}")


def form(world: World, **changes: Any) -> dict[str, Any]:
    """The fields of the form for a new key, with `changes`."""
    return {
        "account": world.account.pk,
        "tier": world.account.tier_id,
        "name": "new one",
        "environment": "live",
        "scopes": ["stream", "predictions:read"],
        "networks": "203.0.113.0/24\n2001:db8::/32\n",
        "expires_at_0": "",
        "expires_at_1": "",
        "form_id": str(uuid.uuid4()),
        **changes,
    }


def change_form(key: ApiKey, **changes: Any) -> dict[str, Any]:
    """The fields of the form of `key`, with `changes`."""
    return {
        "tier": key.tier_id,
        "name": key.name,
        "scopes": key.scopes,
        "networks": "\n".join(key.networks),
        "expires_at_0": "",
        "expires_at_1": "",
        **changes,
    }


def page_of(key: ApiKey, page: str = "change") -> str:
    """The address of a page of `key`."""
    return reverse(f"admin:accounts_apikey_{page}", args=[key.pk])


def test_200_with_a_new_key_that_works_and_is_audited(world: World, staff: Staff) -> None:
    response = staff("operator").post(ADD, form(world))
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    (secret,) = set(SECRET.findall(response.content.decode()))
    parsed = keys.parse_key(secret)
    key = ApiKey.objects.get(pk=parsed.id)
    assert key.digest == parsed.digest
    assert (key.name, key.account, key.scopes) == ("new one", world.account, ["predictions:read", "stream"])
    assert key.networks == ["203.0.113.0/24", "2001:db8::/32"]
    assert key.created_by is not None
    assert key.created_by.username == "the-operator"
    event = events("key.create")[-1]
    assert (event.actor, event.subject_id) == ("user the-operator", key.public_id)


def test_the_secret_is_on_no_other_page_and_nowhere_in_database_store_and_log(
    world: World, staff: Staff, redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    client = staff("admin")
    with caplog.at_level(logging.DEBUG):
        secret = SECRET.findall(client.post(ADD, form(world)).content.decode())[0]
    key = ApiKey.objects.get(name="new one")
    pages = [
        "/admin/",
        LIST,
        page_of(key),
        page_of(key, "rotate"),
        page_of(key, "revoke"),
        "/admin/accounts/auditevent/",
        reverse("admin:accounts_auditevent_change", args=[events("key.create")[-1].pk]),
        f"/admin/accounts/account/{world.account.pk}/change/",
    ]
    last_part = secret.rsplit("_", 1)[1]
    for page in pages:
        text = client.get(page).content.decode()
        assert last_part not in text, page
        assert key.digest not in text, page
    kept = [
        *(str(session.get_decoded()) for session in Session.objects.all()),
        *(str(vars(event)) for event in AuditEvent.objects.all()),
        *(str(vars(row)) for row in ApiKey.objects.all()),
        str(client.cookies),
        *(str((name, redis_client.get(name))) for name in redis_client.scan_iter()),
        caplog.text,
    ]
    assert not [text for text in kept if last_part in text]


def test_302_and_no_second_key_when_the_form_is_sent_again(world: World, staff: Staff) -> None:
    client = staff("operator")
    sent = form(world)
    assert client.post(ADD, sent).status_code == 200
    again = client.post(ADD, sent, follow=True)
    assert "sent before" in again.content.decode()
    assert not SECRET.search(again.content.decode())
    assert ApiKey.objects.filter(name="new one").count() == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"networks": "300.1.2.3/24"}, "write networks as"),
        ({"networks": "203.0.113.7/24"}, "host bits set"),
        ({"scopes": []}, "A key without a scope"),
        ({"scopes": ["no-such-scope"]}, "Select a valid choice"),
        ({"expires_at_0": "2001-01-01", "expires_at_1": "00:00"}, "That has passed"),
        ({"account": "0"}, "Select a valid choice"),
    ],
)
def test_200_with_the_form_when_a_field_is_wrong(
    changes: dict[str, Any], told: str, world: World, staff: Staff
) -> None:
    response = staff("operator").post(ADD, form(world, **changes))
    assert told in response.content.decode()
    assert not ApiKey.objects.filter(name="new one").exists()


def test_200_with_the_form_for_the_tier_of_callers_without_a_key(world: World, staff: Staff) -> None:
    anonymous = Tier.objects.get(name="anonymous")
    response = staff("operator").post(ADD, form(world, tier=anonymous.pk))
    assert "Select a valid choice" in response.content.decode()


def test_an_operator_gives_no_scope_that_operators_do_not_have(world: World, staff: Staff) -> None:
    sent = form(world, scopes=["admin"])
    assert "Select a valid choice" in staff("operator").post(ADD, sent).content.decode()
    assert SECRET.search(staff("admin").post(ADD, form(world, scopes=["admin"])).content.decode())


def test_403_when_an_operator_rotates_or_changes_a_key_that_may_do_more(world: World, staff: Staff) -> None:
    client, key = staff("operator"), world.issued.key
    ApiKey.objects.filter(pk=key.pk).update(scopes=["admin"])
    assert client.post(page_of(key, "rotate"), {"overlap": "0"}).status_code == 403
    assert client.post(page_of(key), change_form(key)).status_code == 403
    assert client.get(page_of(key)).status_code == 200


def test_302_with_the_reason_when_the_account_is_full(
    world: World, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "MOST_KEYS", 1)
    response = staff("operator").post(ADD, form(world), follow=True)
    assert "revoke some of them first" in response.content.decode()
    assert ApiKey.objects.count() == 1


def test_a_change_is_audited_with_from_and_to_and_nothing_else(world: World, staff: Staff) -> None:
    key = world.issued.key
    end = timezone.now().replace(microsecond=0) + timedelta(days=3)
    sent = change_form(
        key, name="renamed", expires_at_0=f"{localtime(end):%Y-%m-%d}", expires_at_1=f"{end:%H:%M:%S}"
    )
    assert staff("operator").post(page_of(key), sent).status_code == 302
    (event,) = events("key.change")
    assert event.detail == {
        "name": {"from": "web shop", "to": "renamed"},
        "expires_at": {"from": None, "to": end.isoformat()},
    }
    key.refresh_from_db()
    assert (key.name, key.expires_at) == ("renamed", end)


def test_a_change_of_nothing_leaves_no_event(world: World, staff: Staff) -> None:
    assert staff("operator").post(page_of(world.issued.key), change_form(world.issued.key)).status_code == 302
    assert not events("key.change")


def test_what_names_a_key_is_not_changed_by_a_form_that_was_tampered_with(world: World, staff: Staff) -> None:
    key = world.issued.key
    other = Account.objects.create(name="other", tier=key.tier)
    sent = change_form(key, account=other.pk, environment="test", digest="0" * 64, lineage=str(uuid.uuid4()))
    staff("operator").post(page_of(key), sent)
    stored = ApiKey.objects.get(pk=key.pk)
    assert (stored.account_id, stored.environment) == (world.account.pk, "live")
    assert (stored.digest, stored.lineage) == (key.digest, key.lineage)


def test_403_when_a_revoked_key_is_changed(world: World, staff: Staff) -> None:
    key = world.issued.key
    actions.revoke_key(key=key, actor="command test", now=timezone.now())
    assert staff("admin").post(page_of(key), change_form(key)).status_code == 403


def test_200_with_the_new_key_after_a_rotation(world: World, staff: Staff) -> None:
    client, old = staff("operator"), world.issued.key
    response = client.post(page_of(old, "rotate"), {"overlap": "1h"})
    assert "no-store" in response["Cache-Control"]
    new = ApiKey.objects.get(pk=keys.parse_key(SECRET.findall(response.content.decode())[0]).id)
    old.refresh_from_db()
    assert (new.replaces_id, new.lineage) == (old.pk, old.lineage)
    assert old.expires_at is not None
    assert timedelta(minutes=59) < old.expires_at - timezone.now() <= timedelta(hours=1)
    (event,) = events("key.rotate")
    assert event.detail == {"successor": new.public_id, "overlap_s": 3600}
    again = client.post(page_of(old, "rotate"), {"overlap": "1h"}, follow=True)
    assert "rotated before" in again.content.decode()
    assert ApiKey.objects.count() == 2


def test_200_with_the_form_for_an_overlap_that_is_not_offered(world: World, staff: Staff) -> None:
    response = staff("operator").post(page_of(world.issued.key, "rotate"), {"overlap": "99y"})
    assert "Select a valid choice" in response.content.decode()
    assert not events("key.rotate")


def test_302_with_the_reason_when_a_revoked_key_is_rotated(world: World, staff: Staff) -> None:
    key = world.issued.key
    actions.revoke_key(key=key, actor="command test", now=timezone.now())
    response = staff("operator").post(page_of(key, "rotate"), {"overlap": "0"}, follow=True)
    assert "has ended" in response.content.decode()


def test_looking_at_the_revocation_revokes_nothing_and_sending_it_does(world: World, staff: Staff) -> None:
    client, key = staff("viewer"), world.issued.key
    assert client.get(page_of(key, "revoke")).status_code == 200
    assert ApiKey.objects.get(pk=key.pk).revoked_at is None
    assert client.post(page_of(key, "revoke")).status_code == 302
    assert ApiKey.objects.get(pk=key.pk).revoked_at is not None
    assert [event.actor for event in events("key.revoke")] == ["user the-viewer"]
    again = client.post(page_of(key, "revoke"), follow=True)
    assert "had been revoked before" in again.content.decode()
    assert len(events("key.revoke")) == 1


def test_many_keys_are_revoked_after_a_question_each_with_its_event(world: World, staff: Staff) -> None:
    client = staff("viewer")
    chosen = {"action": "revoke_selected", "_selected_action": [str(key.pk) for key in more_keys(world, 3)]}
    asked = client.post(LIST, chosen)
    assert "cannot be undone" in asked.content.decode()
    assert not events("key.revoke")
    done = client.post(LIST, {**chosen, "confirmed": "1"}, follow=True)
    assert "Keys revoked: 3." in done.content.decode()
    assert len(events("key.revoke")) == 3
    assert ApiKey.objects.filter(revoked_at=None).count() == 1


def more_keys(world: World, number: int) -> list[ApiKey]:
    """More keys of the account."""
    return [
        actions.issue_key(
            account=world.account,
            tier=world.account.tier,
            actor="command test",
            now=timezone.now(),
            name=f"key {place}",
        ).key
        for place in range(number)
    ]


def rows(client: Client, **query: str) -> set[str]:
    """The public ids in the list at `query`."""
    text = client.get(LIST, query).content.decode()
    return {key.public_id for key in ApiKey.objects.all() if key.public_id in text.split("result_list")[-1]}


def test_the_list_finds_keys_by_public_id_name_and_account(world: World, staff: Staff) -> None:
    client, key = staff("viewer"), world.issued.key
    (other,) = more_keys(world, 1)
    assert rows(client, q=key.public_id) == {key.public_id}
    assert rows(client, q="web sh") == {key.public_id}
    assert rows(client, q="Acme") == {key.public_id, other.public_id}
    assert rows(client, account__id__exact=str(world.account.pk)) == {key.public_id, other.public_id}


@pytest.mark.parametrize("state", ["active", "expiring", "expired", "revoked", "soon"])
def test_the_list_is_filtered_by_the_state_that_it_shows(state: str, world: World, staff: Staff) -> None:
    now = timezone.now()
    made = dict(zip(["active", "expiring", "expired", "revoked", "soon"], more_keys(world, 5), strict=True))
    ApiKey.objects.exclude(pk__in=[key.pk for key in made.values()]).delete()
    actions.rotate_key(key=made["expiring"], overlap=timedelta(days=30), actor="command test", now=now)
    actions.revoke_key(key=made["revoked"], actor="command test", now=now)
    ApiKey.objects.filter(pk=made["expired"].pk).update(expires_at=now - timedelta(seconds=1))
    ApiKey.objects.filter(pk=made["soon"].pk).update(expires_at=now + timedelta(days=6))
    found = rows(staff("viewer"), state=state)
    assert made[state].public_id in found
    others = {key.public_id for name, key in made.items() if name not in (state, "soon")}
    assert not found & others
    wanted = "active" if state == "soon" else state
    assert ApiKey.objects.get(pk=made[state].pk).state(now) == wanted


@pytest.mark.parametrize("number", [1, 12])
def test_the_list_takes_the_same_queries_however_many_keys_there_are(
    number: int, world: World, staff: Staff, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    more_keys(world, number)
    client = staff("admin")
    # Session, user, tiers for the filter, two counts, the page with its joins, and the calls of its keys.
    with django_assert_num_queries(7):
        text = client.get(LIST).content.decode()
    assert text.count('class="pgw-spark') == number + 1
    assert "7 calls in 24 hours" in text
