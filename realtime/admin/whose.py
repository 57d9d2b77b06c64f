"""Whose connections are: a hub knows keys and accounts by their numbers, staff by their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.urls import reverse

from accounts import keys
from accounts.models import Account, ApiKey, User
from realtime.roster import LONGEST_SEARCH, Row, Wanted

_KEY, _USER = "key ", "user "
_MOST_FOUND = 500
# Name, short name and the address of the page.
_Link = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Owner:
    """Who is connected, with the addresses of their pages; empty where there is none.

    `short` is what a column has room for.
    """

    name: str
    short: str
    address: str = ""
    account: str = ""
    account_address: str = ""

    def __str__(self) -> str:
        return f"{self.name} of {self.account}" if self.account else self.name


def wanted_by(text: str) -> Wanted:
    """What a search for `text` asks the hubs: also the accounts and keys that are named so."""
    # A database takes no text with a null character.
    text = text.replace("\0", "").strip()[:LONGEST_SEARCH]
    if not text:
        return Wanted()
    accounts = Account.objects.filter(name__icontains=text).order_by("pk").values_list("pk", flat=True)
    named = ApiKey.objects.filter(name__icontains=text, revoked_at=None).order_by("-created_at", "pk")
    ids = named.values_list("pk", flat=True)[:_MOST_FOUND]
    return Wanted(
        text=text,
        accounts=list(accounts[:_MOST_FOUND]),
        names=[f"{_KEY}{keys.public_id(id_)}" for id_ in ids],
    )


def owners_of(rows: Sequence[Row]) -> dict[str, Owner]:
    """The owner of each row, by its name; three queries at most, however many rows there are."""
    accounts = dict(
        Account.objects.filter(pk__in={row.account_id for row in rows if row.account_id is not None})
        .order_by()
        .values_list("pk", "name")
    )
    names = {row.name for row in rows}
    links = {**_keys(names), **_users(names)}
    return {row.id: _owner(row, accounts, links) for row in rows}


def _owner(row: Row, accounts: dict[int, str], links: dict[str, _Link]) -> Owner:
    if not row.name:
        return Owner("not authenticated yet", "not authenticated yet")
    link = links.get(row.name, (row.name, row.name, ""))
    if row.account_id is None:
        return Owner(*link)
    if row.account_id not in accounts:
        return Owner(*link, f"account {row.account_id}")
    page = reverse("admin:accounts_account_change", args=[row.account_id])
    return Owner(*link, accounts[row.account_id], page)


def _keys(names: Iterable[str]) -> dict[str, _Link]:
    """What staff call a key, and its page, by the name that its callers have."""
    texts = [name.removeprefix(_KEY) for name in names if name.startswith(_KEY)]
    ids = [id_ for text in texts if (id_ := keys.key_id_of(text)) is not None]
    found = ApiKey.objects.filter(pk__in=ids).order_by().only("pk", "name")
    return {f"{_KEY}{key.public_id}": _key_link(key) for key in found}


def _key_link(key: ApiKey) -> _Link:
    page = reverse("admin:accounts_apikey_change", args=[key.pk])
    return str(key), key.name or f"{_KEY}{key.public_id}", page


def _users(names: Iterable[str]) -> dict[str, _Link]:
    texts = [name.removeprefix(_USER) for name in names if name.startswith(_USER)]
    if not texts:
        return {}
    found = User.objects.filter(username__in=texts).order_by().values_list("username", "pk")
    return {f"{_USER}{name}": _user_link(name, pk) for name, pk in found}


def _user_link(username: str, pk: int) -> _Link:
    name = f"{_USER}{username}"
    return name, name, reverse("admin:accounts_user_change", args=[pk])
