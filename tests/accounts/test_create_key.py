"""`manage.py create_key`: the key alone on the last line, and errors that say what would be right."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.credentials import authenticate

pytestmark = pytest.mark.django_db


def test_the_last_line_is_a_key_that_works() -> None:
    printed, told = io.StringIO(), io.StringIO()
    call_command("create_key", account="desk", tier="pro", name="ci", stdout=printed, stderr=told)
    key = printed.getvalue().splitlines()[-1]
    assert authenticate(key, now=timezone.now(), address="203.0.113.7").tier == "pro"
    assert "not shown again" in told.getvalue()
    assert key not in told.getvalue()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"account": "a", "tier": "gold"}, "no tier 'gold'; there are: anonymous, enterprise, free, pro"),
        ({"account": "  ", "tier": "pro"}, "--account must not be empty"),
        ({"account": "a" * 101, "tier": "pro"}, "--account may have 100 characters at most"),
        ({"account": "a", "tier": "pro", "name": "n" * 101}, "--name may have 100 characters"),
    ],
)
def test_what_is_wrong_is_told(options: dict[str, str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        call_command("create_key", **options)
