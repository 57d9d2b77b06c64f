"""Usage, refused credentials, the audit and its export: for reading only."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any, cast

import pytest
from django.http import StreamingHttpResponse
from pytest_django import DjangoAssertNumQueries

from accounts import audit
from accounts.admin.exports import safe_cell
from accounts.models import Account, AuditEvent, UsageHour
from tests.accounts.admin.conftest import Staff, World, events

AUDIT = "/admin/accounts/auditevent/"
USAGE = "/admin/accounts/usagehour/"


def exported(response: Any) -> list[dict[str, str]]:
    """The rows of an export."""
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    stream = cast(Iterable[bytes], cast(StreamingHttpResponse, response).streaming_content)
    text = b"".join(stream).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_the_export_holds_what_is_filtered_on_all_pages_and_is_audited(world: World, staff: Staff) -> None:
    for number in range(120):
        audit.record(actor="command x", action="tier.test", kind="tier", subject_id=number, subject="t")
    rows = exported(staff("viewer").post(f"{AUDIT}export/?kind__exact=tier"))
    assert len(rows) == 120
    assert {row["action"] for row in rows} == {"tier.test"}
    (event,) = events("audit.export")
    assert event.detail == {"filters": {"kind__exact": "tier"}, "events": 120}
    assert event.actor == "user the-viewer"


def test_the_export_is_searched_too(world: World, staff: Staff) -> None:
    audit.record(actor="user eve", action="tier.test", kind="tier", subject_id=1, subject="t", by={"a": 1})
    (row,) = exported(staff("viewer").post(f"{AUDIT}export/?q=eve"))
    assert (row["actor"], row["detail"]) == ("user eve", '{"by": {"a": 1}}')


def test_no_cell_of_the_export_is_a_formula(world: World, staff: Staff) -> None:
    subject = '=HYPERLINK("https://evil.example";"x")'
    audit.record(actor="user eve", action="tier.test", kind="tier", subject_id="-1", subject=subject)
    (row,) = exported(staff("viewer").post(f"{AUDIT}export/?q=eve"))
    assert row["subject"] == "'" + subject
    assert row["subject_id"] == "'-1"


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", " =1", "\r1", "|x", "\n=1"])
def test_what_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert safe_cell(text) == "'" + text


def test_ordinary_text_stays_as_it_is() -> None:
    assert safe_cell("web shop of Acme = good") == "web shop of Acme = good"
    assert safe_cell("") == ""


def test_405_when_the_export_is_only_looked_at(staff: Staff) -> None:
    assert staff("viewer").get(f"{AUDIT}export/").status_code == 405
    assert not events("audit.export")


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("q=3141", True),
        ("q=314", False),
        ("q=marvin", True),
        ("action__exact=tier.test", True),
        ("action__exact=key.test", False),
        ("actor__icontains=marv", True),
        ("actor__icontains=trillian", False),
        ("days=1", True),
        ("days=nonsense", True),
    ],
)
def test_the_audit_is_searched_and_filtered(query: str, is_found: bool, world: World, staff: Staff) -> None:
    audit.record(
        actor="user marvin", action="tier.test", kind="tier", subject_id=3141, subject="the heart of gold"
    )
    text = staff("viewer").get(f"{AUDIT}?{query}").content.decode()
    assert ("heart of gold" in text) is is_found


def test_an_event_is_shown_whole_and_safely(world: World, staff: Staff) -> None:
    event = audit.record(
        actor="a", action="tier.test", kind="tier", subject_id=1, subject="<b>t</b>", why="<script>x</script>"
    )
    text = staff("viewer").get(f"{AUDIT}{event.pk}/change/").content.decode()
    assert "&lt;script&gt;x&lt;/script&gt;" in text
    assert "<script>x" not in text
    assert "<b>t</b>" not in text


@pytest.mark.parametrize("number", [1, 12])
def test_usage_takes_the_same_queries_however_many_rows_there_are(
    number: int, world: World, staff: Staff, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for place in range(number):
        account = Account.objects.create(name=f"account {place}", tier=world.account.tier)
        UsageHour.objects.create(
            hour=world.usage.hour,
            account_id=account.pk,
            key_id=world.usage.key_id,
            route="predictions",
            status_class=5,
            calls=3,
            errors=3,
            throttled=0,
            latency_sum_ms=30,
            latency_max_ms=10,
            bytes_out=0,
        )
    client = staff("viewer")
    # Session, user, the classes of status for the filter, a count, the page, and the names of its accounts.
    with django_assert_num_queries(6):
        text = client.get(USAGE).content.decode()
    assert "Acme" in text
    assert "account 0" in text


@pytest.mark.parametrize(("query", "is_found"), [("route=prediction", True), ("route=predictions", False)])
def test_usage_is_filtered_by_route(query: str, is_found: bool, world: World, staff: Staff) -> None:
    text = staff("viewer").get(f"{USAGE}?{query}").content.decode()
    assert (world.issued.key.public_id in text) is is_found


def test_refused_credentials_are_searched_by_address(world: World, staff: Staff) -> None:
    page = "/admin/accounts/authenticationfailure/"
    assert (
        "checksum" in staff("viewer").get(f"{page}?q=203.0.113.7").content.decode().split("result_list")[-1]
    )


def test_nothing_is_written_by_looking(world: World, staff: Staff) -> None:
    before = AuditEvent.objects.count()
    client = staff("admin")
    for page in (AUDIT, USAGE, "/admin/accounts/authenticationfailure/", "/admin/"):
        assert client.get(page).status_code == 200
    assert AuditEvent.objects.count() == before
