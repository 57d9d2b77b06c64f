"""What attacks on the shared stack need: who is attacked, and a member of staff who is logged in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.people import PASSWORD, add_account, add_user
from tests.stack import Stack

LOGIN = "/admin/login/"


@dataclass
class Staff:
    """A browser of a member of staff. Cookies are for https; this client carries them itself."""

    browser: httpx.Client
    username: str
    cookies: dict[str, str]

    @property
    def cookie(self) -> str:
        """All of them, as they are sent."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def call(self, method: str, path: str, **form: str) -> httpx.Response:
        """A page, or a form that is sent with its token; takes over what cookies are set."""
        headers = {"Cookie": self.cookie}
        data = form | {"csrfmiddlewaretoken": self.cookies["csrftoken"]} if method == "POST" else None
        answer = self.browser.request(method, path, headers=headers, data=data)
        self.cookies |= {one.name: one.value or "" for one in answer.cookies.jar}
        self.browser.cookies.clear()
        return answer

    def log_in(self, target: str = LOGIN, **form: str) -> httpx.Response:
        """Send the form of the login to `target`, with more fields."""
        return self.call("POST", target, username=self.username, password=PASSWORD, **form)


def add_staff(stack: Stack) -> Iterator[Staff]:
    """A member of staff of an account of their own, at the form of the login."""
    name = add_user(stack, account=add_account(stack, "pro"), role="admin", is_staff=True, is_superuser=True)
    with httpx.Client(base_url=stack.base_url, timeout=60) as browser:
        staff = Staff(browser, name, {})
        staff.call("GET", LOGIN)
        yield staff


@pytest.fixture
def staff(stack: Stack) -> Iterator[Staff]:
    """A member of staff who has not logged in yet."""
    yield from add_staff(stack)
