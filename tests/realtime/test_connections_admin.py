"""The page of connections: who may look and disconnect, what is audited, what it says of what it lacks."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
import redis
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import actions
from accounts.models import Account, ApiKey, AuditEvent, Tier, User
from realtime import roll_call
from realtime.admin import connection_pages
from realtime.roll_call import RollCallUnavailable
from realtime.roster import Wanted
from tests.realtime.presence import Served, deaf, serving, update

pytestmark = pytest.mark.django_db

PAGE, DEED = "/admin/connections/", "/admin/connections/disconnect/"
SCRIPT = "<script>alert(1)</script>"
Two = tuple[Served, Served]
Staff = Callable[[str], Client]


@pytest.fixture(autouse=True)
def _no_static_search(settings: Settings) -> None:
    """No client looks for all static files before it begins."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


@pytest.fixture
def two(redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    """Two server processes."""
    with serving(2, monkeypatch) as [one, other]:
        yield one, other


@pytest.fixture
def key() -> ApiKey:
    """The key "web shop" of the account Acme."""
    pro = Tier.objects.get(name="pro")
    account = Account.objects.create(name="Acme", tier=pro)
    return actions.issue_key(
        account=account, tier=pro, actor="command test", now=timezone.now(), name="web shop"
    ).key


def staff(role: str) -> Client:
    """A member of staff who is logged in."""
    client = Client()
    client.force_login(User.objects.create(username=f"the-{role}", password="!", role=role, is_staff=True))
    return client


def look(client: Client, **query: str) -> str:
    """The page."""
    response = client.get(PAGE, query)
    assert response.status_code == 200
    return response.content.decode()


def send(client: Client, *ids: str, **fields: str) -> str:
    """The page after a POST, wherever it led."""
    response = client.post(DEED, {"connection": list(ids), **fields}, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def events() -> list[AuditEvent]:
    """What was audited about connections, oldest first."""
    return list(AuditEvent.objects.filter(kind="connection").order_by("pk"))


def test_operators_see_who_is_connected_where_and_how_they_are(two: Two, key: ApiKey) -> None:
    one, other = two
    name = f"key {key.public_id}"
    id_, client = one.connect("AAPL", "MSFT", "IBM", "GOOG", name=name, account_id=key.account_id)
    one.stall(client, update(1, age_s=75))
    user = User.objects.create(username="ann", password="!")
    other.connect(name="user ann", address="198.51.100.4", agent="")
    other.connect()
    page = look(staff("operator"))
    for told in (
        f'href="/admin/accounts/apikey/{key.pk}/change/" title="web shop ({key.public_id})">web shop</a>',
        f'href="/admin/accounts/account/{key.account_id}/change/">Acme',
        f'href="/admin/accounts/user/{user.pk}/change/" title="user ann">user ann',
        "not authenticated yet",
        "no user agent",
        id_,
        "203.0.113.7",
        "AAPL, MSFT, IBM +1",
        ">75.",
        "3 connections, the greatest lag first",
    ):
        assert told in page
    assert "in time" not in page
    assert "Together" in page
    assert DEED not in page
    assert 'type="checkbox" name="connection"' not in page


def test_only_admins_are_offered_to_disconnect(two: Two) -> None:
    id_, _ = two[0].connect(name="user ann")
    box = f'name="connection" value="{id_}"'
    assert box in look(staff("admin"))
    assert box not in look(staff("operator"))


def test_403_for_operators_to_disconnect(two: Two) -> None:
    id_, client = two[0].connect()
    assert staff("viewer").get(PAGE).status_code == 200
    assert staff("operator").post(DEED, {"connection": id_, "confirmed": "1"}).status_code == 403
    assert client.closed_with is None
    assert events() == []


def test_the_sidebar_leads_there() -> None:
    assert f'href="{PAGE}"' in staff("viewer").get("/admin/").content.decode()


def test_the_part_that_changes_comes_alone_without_a_frame_or_a_form(two: Two) -> None:
    id_, _ = two[0].connect()
    part = look(staff("admin"), part="found")
    assert id_ in part
    for frame in ("<html", "<form", "csrf"):
        assert frame not in part


def test_what_a_client_says_of_itself_is_escaped(two: Two) -> None:
    two[0].connect(SCRIPT, name=SCRIPT, address=SCRIPT, agent=SCRIPT)
    admin = staff("admin")
    for page in (look(admin), look(admin, q=SCRIPT)):
        assert SCRIPT not in page
        assert "&lt;script&gt;" in page


@pytest.mark.parametrize("text", ["acme", "WEB shop", "203.0", "agent x", "msft"])
def test_a_search_knows_names_of_accounts_and_keys(two: Two, key: ApiKey, text: str) -> None:
    name = f"key {key.public_id}"
    meant, _ = two[0].connect("MSFT", name=name, account_id=key.account_id, agent="Agent X/1")
    stranger, _ = two[1].connect("AAPL", name="user bob", account_id=9, address="198.51.100.4", agent="y")
    page = look(staff("operator"), q=text)
    assert meant in page
    assert stranger not in page
    assert "<strong>1 of 2</strong> connections match" in page
    assert "account 9" not in page


@pytest.mark.parametrize("text", ["\0", " \0 ", "\N{SNOWMAN}" * 300, "%_'\\", "[(*"])
def test_an_odd_search_is_a_search(two: Two, text: str) -> None:
    assert "server processes answered" not in look(staff("operator"), q=text)


def test_an_account_that_is_gone_is_told_by_its_number(two: Two) -> None:
    two[0].connect(name="key 0000000000000000000000", account_id=999)
    page = look(staff("operator"))
    assert "account 999" in page
    assert "/admin/accounts/account/999" not in page


def test_when_there_are_more_than_are_shown_the_page_says_so(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_pages, "MOST_SHOWN", 2)
    for served in two:
        for _ in range(3):
            served.connect("AAPL")
    operator = staff("operator")
    assert "<strong>2 of 6 shown</strong>" in look(operator)
    assert "<strong>2 of 6 shown</strong>" in look(operator, q="AAPL")


def test_a_process_that_does_not_answer_is_missed_on_the_page(two: Two, redis_client: redis.Redis) -> None:
    with deaf(redis_client):
        assert "2 of 3 server processes answered in time." in look(staff("operator"))


def test_nobody_and_no_process_at_all_are_told_apart(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = staff("operator")
    assert "No server process with WebSockets is running" in look(operator)
    with serving(1, monkeypatch):
        page = look(operator)
        assert "Nobody is connected." in page
        assert "Together" not in page
        assert "<strong>0 of 0</strong> connections match" in look(operator, q="x")


def test_an_admin_is_asked_and_then_the_chosen_are_closed_and_audited(two: Two, key: ApiKey) -> None:
    one, other = two
    name = f"key {key.public_id}"
    id_, client = one.connect(name=name, account_id=key.account_id)
    also, further = other.connect()
    _, neighbour = one.connect()
    admin = staff("admin")
    question = send(admin, id_, also, q="x y")
    assert "Disconnect 2 connections?" in question
    assert f"<li>web shop ({key.public_id}) of Acme<" in question
    assert "from 203.0.113.7, since 20" in question
    assert f'href="{PAGE}?q=x+y"' in question
    assert not client.got
    assert events() == []

    page = send(admin, id_, also, "f" * 32, confirmed="1")
    assert "Closed: 2." in page
    assert "Gone before they could be closed: 1." in page
    assert client.closed_with == further.closed_with == (1012, "DISCONNECTED")
    assert neighbour.closed_with is None
    told = {event.subject_id: event for event in events()}
    assert told.keys() == {id_, also}
    event = told[id_]
    assert (event.actor, event.action) == ("user the-admin", "connection.disconnect")
    assert event.subject == f"web shop ({key.public_id}) of Acme"
    detail = event.detail
    assert (detail["outcome"], detail["caller"], detail["account_id"]) == ("closed", name, key.account_id)
    assert detail["client_address"] == "203.0.113.7"
    assert told[also].subject == "not authenticated yet"


def test_one_is_called_one(two: Two) -> None:
    id_, _ = two[0].connect()
    assert "Disconnect this connection?" in send(staff("admin"), id_)


def test_nothing_chosen_too_much_chosen_and_gone_meanwhile_lead_back_with_a_word(two: Two) -> None:
    admin = staff("admin")
    assert "Choose connections first." in send(admin)
    assert "Choose 500 connections at most." in send(admin, *[uuid.uuid4().hex for _ in range(501)])
    assert "They have gone already" in send(admin, "f" * 32)
    response = admin.get(DEED)
    assert (response.status_code, response["Location"]) == (302, PAGE)
    assert admin.post(DEED, {"q": "a&b"})["Location"] == f"{PAGE}?q=a%26b"
    assert events() == []


def test_what_a_process_does_not_confirm_is_told_and_audited_as_such(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_, _ = two[0].connect()
    monkeypatch.setattr(roll_call, "disconnect", lambda ids: (2, []))
    assert "Not confirmed: 1." in send(staff("admin"), id_, confirmed="1")
    [event] = events()
    assert (event.subject_id, event.detail["outcome"]) == (id_, "not confirmed")


def test_503_is_the_page_with_a_clear_word_when_redis_is_away(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_, client = two[0].connect()
    monkeypatch.setattr(roll_call, "call_roll", _fail)
    admin = staff("admin")
    for query in ({}, {"part": "found"}):
        response = admin.get(PAGE, query)
        assert response.status_code == 503
        assert "Redis does not answer." in response.content.decode()
    response = admin.post(DEED, {"connection": id_, "confirmed": "1"})
    assert response.status_code == 503
    assert "Nothing was done" in response.content.decode()
    assert client.closed_with is None
    assert events() == []


def test_503_when_redis_goes_away_between_leaves_an_event(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    id_, _ = two[0].connect(name="user ann")
    monkeypatch.setattr(roll_call, "disconnect", _fail)
    response = staff("admin").post(DEED, {"connection": id_, "confirmed": "1"})
    assert response.status_code == 503
    assert "not known whether they were closed" in response.content.decode()
    [event] = events()
    assert (event.subject_id, event.subject, event.detail["outcome"]) == (id_, "user ann", "not confirmed")


def test_a_page_costs_few_queries_however_many_are_shown(
    two: Two, key: ApiKey, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    operator = staff("operator")
    for number in range(60):
        two[0].connect(name=f"key {key.public_id}" if number % 2 else "user ann", account_id=key.account_id)
    with django_assert_max_num_queries(8):  # type: ignore[attr-defined]
        look(operator, q="203.")


def _fail(*arguments: Wanted | list[str], **options: int) -> None:
    raise RollCallUnavailable
