"""`GET /auth/keys`, `GET|PATCH /auth/keys/{id}`: what is shown of keys, and what may be changed on them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import actions
from accounts.models import ApiKey, AuditEvent
from tests.accounts.callers import NO_ID, NOBODY, Holder, call, error, key, person, pointers, read, row

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.accounts.callers")]

SOON = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)
LATER = SOON + timedelta(days=2)


@pytest.fixture
def ann() -> Holder:
    """A person who manages the keys of their account."""
    return person("ann", "operator")


def listed(who: Holder, query: str = "") -> dict[str, Any]:
    """The page that `who` gets."""
    return read(call("GET", f"/auth/keys{query}", who))


def patch(who: Holder, which: Holder, **changes: Any) -> Any:
    """The answer to a change."""
    return call("PATCH", f"/auth/keys/{which}", who, changes)


def rotate(which: Holder) -> ApiKey:
    """The successor of a key that lives on for a day."""
    return actions.rotate_key(key=row(which), overlap=timedelta(days=1), actor="test", now=timezone.now()).key


def test_200_the_list_shows_keys_newest_first_and_neither_secret_nor_digest(ann: Holder) -> None:
    first, second = key(name="first", by="ann"), key("stream", name="second")
    key(of="another account")
    response = call("GET", "/auth/keys", ann)
    page = read(response)
    assert [found["name"] for found in page["data"]] == ["second", "first"]
    assert (page["has_more"], page["next"]) == (False, None)
    assert [found["created_by"] for found in page["data"]] == [None, "ann"]
    assert page["data"][1] == read(call("GET", f"/auth/keys/{first}", ann))
    for hidden in (row(first).digest, second.headers["X-API-Key"], "lineage", "account"):
        assert hidden not in response.content.decode()


def test_200_a_key_shows_its_state_last_use_and_rotation(ann: Holder) -> None:
    old = key(name="old")
    ApiKey.objects.update(
        last_used_at=SOON, last_used_address="203.0.113.7", last_used_agent="curl/8", networks=["::1/128"]
    )
    new = rotate(old)
    shown = {found["id"]: found for found in listed(ann)["data"]}
    assert (shown[str(old)]["state"], shown[new.public_id]["state"]) == ("expiring", "active")
    assert shown[str(old)]["rotated_to"] == new.public_id
    assert shown[new.public_id]["rotated_from"] == str(old)
    assert shown[str(old)]["last_used_address"] == "203.0.113.7"
    assert datetime.fromisoformat(shown[str(old)]["last_used_at"]) == SOON
    assert shown[new.public_id]["last_used_at"] is shown[new.public_id]["last_used_agent"] is None
    ApiKey.objects.update(revoked_at=SOON)
    assert {found["state"] for found in listed(ann)["data"]} == {"revoked"}


def test_200_pages_follow_each_other_without_a_gap_even_at_one_instant(ann: Holder) -> None:
    made = {key().name for _ in range(5)}
    ApiKey.objects.update(created_at=SOON)
    seen, query = [], "?limit=2"
    while True:
        page = listed(ann, query)
        seen += [found["id"] for found in page["data"]]
        if not page["has_more"]:
            break
        query = f"?limit=2&cursor={page['next']}"
    assert (len(seen), set(seen)) == (5, made)


def test_the_list_takes_as_many_queries_for_many_keys_as_for_one(
    ann: Holder, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        rotate(key(by="ann"))
    with django_assert_max_num_queries(2):
        listed(ann)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("?limit=0", "/limit"),
        ("?limit=101", "/limit"),
        ("?limit=many", "/limit"),
        ("?cursor=junk", "/cursor"),
        ("?cursor=", "/cursor"),
        (f"?cursor={NO_ID}", "/cursor"),
        ("?account=other", "/account"),
        ("?limit=1&limit=2", "/limit"),
    ],
)
def test_400_says_what_is_wrong_with_the_query(ann: Holder, query: str, pointer: str) -> None:
    response = call("GET", f"/auth/keys{query}", ann)
    assert error(response) == (400, "INVALID_QUERY")
    assert pointer in pointers(response)


def test_400_a_key_that_the_caller_may_not_see_is_no_cursor(ann: Holder) -> None:
    other = key(of="another account")
    assert error(call("GET", f"/auth/keys?cursor={other}", ann)) == (400, "INVALID_QUERY")


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_404_is_the_same_answer_for_a_foreign_key_and_one_that_does_not_exist(
    ann: Holder, method: str
) -> None:
    foreign = key(of="another account")
    answers = []
    for public_id in (str(foreign), NO_ID, "junk", "z" * 22, "x" * 3000):
        response = call(method, f"/auth/keys/{public_id}", ann, {} if method == "PATCH" else None)
        assert error(response) == (404, "UNKNOWN_KEY")
        answers.append({**response.json(), "instance": None, "timestamp": None, "request_id": None})
    assert answers == answers[:1] * 5


def test_401_without_a_credential() -> None:
    for path in ("/auth/keys", f"/auth/keys/{NO_ID}", "/auth/profile"):
        assert error(call("GET", path, NOBODY)) == (401, "NOT_AUTHENTICATED")
    assert error(call("PATCH", f"/auth/keys/{NO_ID}", NOBODY, {})) == (401, "NOT_AUTHENTICATED")


def test_405_other_methods(ann: Holder) -> None:
    for method, path in [("POST", "/auth/keys"), ("DELETE", f"/auth/keys/{NO_ID}"), ("PUT", "/auth/keys")]:
        assert error(call(method, path, ann)) == (405, "METHOD_NOT_ALLOWED")


def test_200_a_change_is_shown_and_audited_and_the_rest_stays(ann: Holder) -> None:
    holder = key(name="old")
    changed = read(patch(ann, holder, name="new", networks=["203.0.113.0/24"], expires_at=SOON.isoformat()))
    assert (changed["name"], changed["networks"]) == ("new", ["203.0.113.0/24"])
    assert datetime.fromisoformat(changed["expires_at"]) == SOON
    assert changed["scopes"] == sorted(row(holder).scopes)
    event = AuditEvent.objects.get(action="key.change")
    assert (event.actor, event.subject_id) == ("user ann", str(holder))
    assert event.detail["name"] == {"from": "old", "to": "new"}
    assert read(patch(ann, holder, expires_at=None, scopes=["stream"]))["expires_at"] is None
    assert row(holder).scopes == ["stream"]


def test_200_an_empty_change_changes_and_audits_nothing(ann: Holder) -> None:
    holder = key()
    assert read(patch(ann, holder)) == read(call("GET", f"/auth/keys/{holder}", ann))
    assert not AuditEvent.objects.filter(action="key.change").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"tier": "enterprise"},
        {"account": "other"},
        {"environment": "test"},
        {"revoked_at": None},
        {"last_used_at": None},
        {"key": "secret"},
        {"scopes": []},
        {"scopes": ["root"]},
        {"scopes": None},
        {"networks": ["everywhere"]},
        {"networks": None},
        {"name": ["x"]},
        {"expires_at": "yesterday"},
        {"expires_at": "2020-01-01T00:00:00Z"},
    ],
)
def test_422_a_change_that_is_none(ann: Holder, changes: dict[str, Any]) -> None:
    holder = key()
    before = ApiKey.objects.values().get()
    response = patch(ann, holder, **changes)
    assert error(response) == (422, "INVALID_BODY")
    assert all(found.startswith(f"/{next(iter(changes))}") for found in pointers(response))
    assert ApiKey.objects.values().get() == before


@pytest.mark.parametrize("ended", ["revoked_at", "expires_at"])
def test_409_a_key_that_has_ended_cannot_be_brought_back(ann: Holder, ended: str) -> None:
    holder = key()
    ApiKey.objects.update(**{ended: timezone.now()})
    revivals: list[dict[str, Any]] = [{"expires_at": None}, {"name": "again"}]
    for changes in revivals:
        assert error(patch(ann, holder, **changes)) == (409, "KEY_NOT_USABLE")


def test_409_the_end_that_rotation_has_set_cannot_be_put_off(ann: Holder) -> None:
    old = key("keys:write", "stream")
    rotate(old)
    for who in (ann, old):
        for moment in (None, LATER.isoformat()):
            assert error(patch(who, old, expires_at=moment)) == (409, "KEY_ALREADY_ROTATED")
    soon = (timezone.now() + timedelta(hours=1)).isoformat()
    assert read(patch(old, old, expires_at=soon, name="goes soon"))["state"] == "expiring"


def test_403_scopes_that_the_caller_does_not_have_are_not_given(ann: Holder) -> None:
    holder = key("stream")
    assert error(patch(ann, holder, scopes=["stream", "admin"])) == (403, "SCOPE_MISSING")
    manager = key("keys:write")
    assert error(patch(manager, holder, scopes=["metrics:read"])) == (403, "SCOPE_MISSING")
    assert error(patch(manager, manager, scopes=["keys:write", "admin"])) == (403, "SCOPE_MISSING")
    assert row(holder).scopes == ["stream"]


def test_403_a_stronger_key_is_renamed_or_narrowed_but_not_let_loose(ann: Holder) -> None:
    strong = key("admin", "stream", networks=["203.0.113.7/32"], expires_at=SOON)
    looser: list[dict[str, Any]] = [{"networks": []}, {"expires_at": None}, {"scopes": ["admin"]}]
    for changes in looser:
        assert error(patch(ann, strong, **changes)) == (403, "SCOPE_MISSING")
    assert read(patch(ann, strong, name="strong"))["name"] == "strong"
    assert read(patch(ann, strong, scopes=["stream"], networks=[]))["scopes"] == ["stream"]


def test_403_a_key_without_keys_write_only_narrows_itself() -> None:
    home = ["127.0.0.0/8", "2001:db8::/32"]
    holder = key("stream", "predictions:read", networks=home, expires_at=SOON)
    wider: list[dict[str, Any]] = [
        {"expires_at": None},
        {"expires_at": LATER.isoformat()},
        {"networks": []},
        {"networks": ["0.0.0.0/0"]},
        {"networks": ["127.0.0.1", "203.0.113.7"]},
        {"scopes": ["stream", "keys:write"]},
    ]
    for changes in wider:
        assert error(patch(holder, holder, **changes)) == (403, "SCOPE_MISSING")
    narrowed = read(
        patch(
            holder,
            holder,
            name="mine",
            scopes=["stream"],
            networks=["127.0.0.1"],
            expires_at=(SOON - timedelta(days=1)).isoformat(),
        )
    )
    assert (narrowed["networks"], narrowed["scopes"]) == (["127.0.0.1/32"], ["stream"])
