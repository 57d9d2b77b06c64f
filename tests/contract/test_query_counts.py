"""How many statements every route sends, and that no list of the admin sends more for more rows.

Callers are as in production: their keys and tiers are in memory and followed. A number that rises is a
decision: change it here and say why; one that rises with the rows is a bug.
"""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import redis
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts import directory, keys, sessions
from accounts.directory import Directory
from accounts.models import (
    Account,
    ApiKey,
    AuditEvent,
    AuthenticationFailure,
    Limit,
    Tier,
    TokenFamily,
    UsageHour,
    User,
)
from accounts.models.keys import default_scopes
from explanations import estimates, store
from explanations.models import Computation
from tests.accounts.callers import NOBODY, Holder, account, key, person
from tests.explanations.ends import apply_completed, completed
from tests.explanations.orderers import order, orderer, predict
from tests.explanations.orders import make_order
from tests.gateway_project.test_routes import configured

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_own_surroundings")]

PASSWORD = "correct horse battery staple"
# A transaction within the one of the test: SAVEPOINT and RELEASE stand for BEGIN and COMMIT.
_T = 2

COUNTS: dict[tuple[str, str], int] = {
    # From Redis.
    ("prediction", "GET"): 0,
    ("predictions", "GET"): 0,
    ("explanation", "GET"): 0,
    ("prediction-history", "GET"): 1,
    ("prediction-accuracy", "GET"): 1,
    # How long they take of late (remembered for 5 s); the account held; a computation looked for, made and
    # held; jobs in flight; the job; the order in the outbox, looked for and made within a transaction.
    ("explanation", "POST"): 1 + _T + 1 + 3 + 1 + 1 + 2 + _T,
    # The job with its computation; how long they take of late.
    ("explanation-job", "GET"): 2,
    # The job; the computation held; the cancellation; who else waits; its end; the outbox.
    ("explanation-job", "DELETE"): _T + 6,
    # The user by name; then the user and the account held, the login, the audit event, the token.
    ("auth-login", "POST"): 1 + _T + 5,
    # The token with its login; its use; the next one.
    ("auth-refresh", "POST"): _T + 3,
    # The token with its login; the login with its user; then its end, its row, the audit event.
    ("auth-logout", "POST"): _T + 1 + 1 + _T + 3,
    # The account with its tier, held; its keys, counted; the key; the audit event; the key as it is shown.
    ("auth-register", "POST"): _T + 1 + _T + 4 + 1,
    # The account; the usage.
    ("auth-profile", "GET"): 2,
    ("auth-keys", "GET"): 1,
    ("auth-key", "GET"): 1,
    # The key held; the change; the audit event.
    ("auth-key", "PATCH"): _T + 1 + _T + 2,
    # The key, and once more held; what it was rotated to; the account's keys, counted; the new key; the end
    # of the old one; the audit event; the new key as it is shown.
    ("auth-rotate-key", "POST"): _T + 1 + _T + 6 + 1,
    ("auth-revoke", "DELETE"): _T + 1 + _T + 2,
    ("auth-ws-ticket", "POST"): 0,
    ("symbols", "GET"): 1,
    # Without DASHBOARD_KEY; a key that is not in memory costs one.
    ("dashboard", "GET"): 0,
    ("start", "GET"): 0,
    ("error-page", "GET"): 0,
    # Files that are read once a process, and pages that ask for nothing.
    **{(name, "GET"): 0 for name in ("openapi", "asyncapi", "docs", "redoc", "llms")},
    ("version", "GET"): 0,
}

# They end before Django, and ask nothing of the database.
ANSWERED_AT_THE_RIM = {("health", "GET"), ("metrics", "GET")}


@dataclasses.dataclass(frozen=True)
class Request:
    """A call that is about to be made by `who`."""

    path: str
    who: Holder = NOBODY
    body: dict[str, Any] | None = None


@pytest.fixture
def _own_surroundings(
    newest_store: object, settings: Settings, monkeypatch: pytest.MonkeyPatch, handed_over: list[Any]
) -> None:
    """A directory that other tests do not know, and no client that looks for all static files first."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, nats_url="nats://127.0.0.1:1")
    monkeypatch.setattr(directory, "_directory", Directory())
    estimates.forget()
    account()
    predict()


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would be published."""
    handed: list[Any] = []
    monkeypatch.setattr("events.relay.hand_over", handed.append)
    return handed


def _explained() -> Request:
    job = order(orderer())
    done = apply_completed(completed(job.computation_id), timezone.now())
    assert done is not None
    store.put([done])
    return Request("/api/explanation/AAPL", key())


def _job() -> Request:
    return Request(f"/api/explanation/job/{order(orderer()).pk}", key())


def _some_key(path: str, **body: Any) -> Request:
    """A call of an administrator's key about another one."""
    other = key()
    values = {name: value.format(other.name) for name, value in body.items()}
    return Request(path.format(other.name), key(*default_scopes(), "keys:write"), values or None)


def _login() -> Request:
    user = User.objects.create_user("ann", password=PASSWORD, account=account())
    return Request("/auth/login", NOBODY, {"username": user.username, "password": PASSWORD})


def _refresh(path: str) -> Request:
    user = User.objects.create_user("ann", account=account())
    pair = sessions.log_in(user=user, now=timezone.now(), agent="a browser")
    return Request(path, NOBODY, {"refresh_token": pair.refresh_token})


REQUESTS: dict[tuple[str, str], Callable[[], Request]] = {
    ("prediction", "GET"): lambda: Request("/api/prediction/AAPL", key()),
    ("predictions", "GET"): lambda: Request("/api/predictions?symbols=AAPL", key()),
    ("prediction-history", "GET"): lambda: Request("/api/prediction/AAPL/history", key()),
    ("prediction-accuracy", "GET"): lambda: Request("/api/prediction/AAPL/accuracy", key()),
    ("explanation", "GET"): _explained,
    ("explanation", "POST"): lambda: Request("/api/explanation/AAPL", key(), {"depth": "fast"}),
    ("explanation-job", "GET"): _job,
    ("explanation-job", "DELETE"): _job,
    ("auth-login", "POST"): _login,
    ("auth-refresh", "POST"): lambda: _refresh("/auth/refresh"),
    ("auth-logout", "POST"): lambda: _refresh("/auth/logout"),
    ("auth-register", "POST"): lambda: Request("/auth/register", key("keys:write"), {}),
    ("auth-profile", "GET"): lambda: Request("/auth/profile", key()),
    ("auth-keys", "GET"): lambda: Request("/auth/keys", key()),
    ("auth-key", "GET"): lambda: _some_key("/auth/keys/{}"),
    ("auth-key", "PATCH"): lambda: _some_key("/auth/keys/{}", name="another"),
    ("auth-rotate-key", "POST"): lambda: _some_key("/auth/rotate-key", key="{}"),
    ("auth-revoke", "DELETE"): lambda: _some_key("/auth/revoke?key={}"),
    ("auth-ws-ticket", "POST"): lambda: Request("/auth/ws-ticket", key()),
    ("symbols", "GET"): lambda: Request("/api/symbols", key()),
    ("dashboard", "GET"): lambda: Request("/"),
    ("start", "GET"): lambda: Request("/start"),
    ("error-page", "GET"): lambda: Request("/errors/UNKNOWN_SYMBOL"),
    ("openapi", "GET"): lambda: Request("/api/openapi.json"),
    ("asyncapi", "GET"): lambda: Request("/api/asyncapi.json"),
    ("docs", "GET"): lambda: Request("/api/docs"),
    ("redoc", "GET"): lambda: Request("/api/redoc"),
    ("llms", "GET"): lambda: Request("/llms.txt"),
    ("version", "GET"): lambda: Request("/version"),
}


def statements(method: str, request: Request, *, known: bool = True) -> list[str]:
    """What a call sends to the database; it must succeed."""
    followed = directory.current()
    followed.load_tiers()
    if known and (secret := request.who.headers.get("X-API-Key")):
        followed.load_key(keys.parse_key(secret).id)
    extra: dict[str, Any] = {}
    if request.body is not None:
        extra = {"data": json.dumps(request.body).encode(), "content_type": "application/json"}
    client = Client()
    followed.followed(time.monotonic())
    with CaptureQueriesContext(connection) as sent:
        response = client.generic(method, request.path, headers=request.who.headers, **extra)
    assert response.status_code < 300, response.content
    return [one["sql"] for one in sent.captured_queries]


def test_every_route_is_counted() -> None:
    routes = {(route, method) for route, methods in configured().items() for method in methods}
    assert set(COUNTS) == set(REQUESTS) == routes - ANSWERED_AT_THE_RIM


@pytest.mark.parametrize(("route", "method"), COUNTS)
def test_a_route_sends_as_many_statements_as_the_table_says(route: str, method: str) -> None:
    sent = statements(method, REQUESTS[route, method]())
    assert len(sent) == COUNTS[route, method], "\n".join(sent)


def test_a_key_that_is_not_in_memory_and_a_token_cost_one_statement_more() -> None:
    stranger = Request("/api/prediction/AAPL/history", key())
    logged_in = Request("/api/prediction/AAPL/history", person("ann"))
    expected = COUNTS["prediction-history", "GET"] + 1
    assert len(statements("GET", stranger, known=False)) == expected
    assert len(statements("GET", logged_in)) == expected


def test_what_redis_does_not_have_costs_one_statement_however_much_it_is(redis_client: redis.Redis) -> None:
    names = [f"S{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    for place, name in enumerate(names):
        predict(name, place)
    _explained()
    for path in (
        "/api/prediction/AAPL",
        f"/api/predictions?symbols={','.join(names)}",
        "/api/explanation/AAPL",
    ):
        redis_client.flushdb()
        assert len(statements("GET", Request(path, key()))) == 1, path


def test_the_list_of_keys_costs_the_same_however_many_there_are() -> None:
    for _ in range(20):
        key()
    assert len(statements("GET", Request("/auth/keys", key()))) == COUNTS["auth-keys", "GET"]


def _new_account(n: int) -> Account:
    return Account.objects.create(name=f"account {n}", tier=Tier.objects.create(name=f"tier-{n}"))


def _new_user(n: int) -> User:
    return User.objects.create(username=f"user-{n}", password="!", account=_new_account(n))


def _new_key(n: int) -> None:
    key(of=_new_account(n).name, by=_new_user(100 + n).username)


def _new_usage(n: int) -> None:
    numbers = ("calls", "errors", "throttled", "latency_sum_ms", "latency_max_ms", "bytes_out")
    owner = _new_account(n)
    issued = key(of=owner.name)
    UsageHour.objects.create(
        hour=timezone.now(),
        account_id=owner.pk,
        key_id=keys.key_id_of(issued.name) or uuid.uuid4(),
        route="prediction",
        status_class=2,
        **dict.fromkeys(numbers, 1),
    )


def _new_login(n: int) -> None:
    expires_at = timezone.now() + timedelta(days=1)
    TokenFamily.objects.create(user=_new_user(n), password_fingerprint="x", expires_at=expires_at)


def _new_computation(n: int) -> None:
    Computation.objects.create(
        symbol=f"S{n}",
        depth="fast",
        prediction_timestamp=timezone.now(),
        model_version="m",
        prediction=msgspec.to_builtins(make_order().prediction),
        created_at=timezone.now(),
        heard_at=timezone.now(),
    ).jobs.create(account_id=_new_account(n).pk, ordered_by="key", created_at=timezone.now())


# Makes the n-th row, with whatever it refers to.
ROWS: dict[type[Any], Callable[[int], object]] = {
    Account: _new_account,
    ApiKey: _new_key,
    AuditEvent: lambda n: AuditEvent.objects.create(
        actor=f"user {n}", action="key.test", kind="key", subject_id=str(uuid.uuid4()), subject="it"
    ),
    AuthenticationFailure: lambda n: AuthenticationFailure.objects.create(
        minute=timezone.now(), reason="checksum", address=f"203.0.113.{n}", count=3
    ),
    Computation: _new_computation,
    Limit: lambda n: Limit.objects.create(name=f"limit-{n}", quota=9, window_s=60, scope="global"),
    Tier: _new_account,
    TokenFamily: _new_login,
    UsageHour: _new_usage,
    User: _new_user,
}


def test_every_list_of_the_admin_is_looked_at() -> None:
    assert set(ROWS) == set(admin.site._registry)


@pytest.mark.parametrize("model", ROWS, ids=lambda model: model.__name__)
def test_a_list_of_the_admin_sends_no_more_statements_for_more_rows(model: type[Any]) -> None:
    client = Client()
    client.force_login(User.objects.create(username="root", password="!", is_staff=True, is_superuser=True))
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    sent = []
    for rows in (range(2), range(2, 14)):
        for n in rows:
            ROWS[model](n)
        with CaptureQueriesContext(connection) as captured:
            page = client.get(url)
        assert page.status_code == 200
        assert page.context["cl"].result_count >= rows.stop
        sent.append([one["sql"] for one in captured.captured_queries])
    few, many = sent
    assert len(many) == len(few) <= 8, "\n".join(many)
