"""What an attack on the admin has found, and what is said instead."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts import actions
from tests.accounts.admin.conftest import Staff, World
from tests.accounts.admin.test_keys import page_of


@pytest.mark.parametrize(
    "query",
    [
        "apikey/?digest__startswith=a",
        "apikey/?replaced_by__digest__startswith=a",
        "tokenfamily/?tokens__digest__startswith=a",
        "tokenfamily/?password_fingerprint__startswith=a",
        "user/?password__startswith=a",
        "account/?keys__digest__startswith=a",
    ],
)
def test_a_list_cannot_be_filtered_by_what_it_does_not_show(world: World, staff: Staff, query: str) -> None:
    assert staff("admin").get(f"/admin/accounts/{query}").status_code == 400


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("admin", 404)])
def test_a_digit_that_is_no_number_is_nobody(world: World, staff: Staff, role: str, status: int) -> None:
    found = staff(role).get("/admin/accounts/user/\u00b2/password/").status_code
    assert found in (302, status)


@pytest.mark.parametrize("account", ["%00", "1" * 26, "x", "\u00b2"])
def test_an_account_in_a_link_that_is_none_is_left_out(world: World, staff: Staff, account: str) -> None:
    assert staff("admin").get(f"/admin/accounts/apikey/add/?account={account}").status_code == 200


def test_a_rotation_in_a_full_account_is_told_and_not_done(
    world: World, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "MOST_KEYS", 0)
    page = staff("admin").post(page_of(world.issued.key, "rotate"), {"overlap": "1h"}, follow=True)
    assert page.status_code == 200
    assert "too many usable keys" in page.content.decode()
    assert world.issued.key.is_usable(timezone.now())
