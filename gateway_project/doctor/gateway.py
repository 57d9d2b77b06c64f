"""The running gateway, as its callers meet it: a key of the doctor's own, from its making to its end.

The key belongs to the account `doctor` and is revoked before the command ends, whatever happens.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import nats
from django.conf import settings
from django.db import Error as DatabaseFailure
from django.utils import timezone
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from accounts.actions import IssuedKey, issue_key_by_names, revoke_key
from accounts.models import ApiKey
from events import streams
from gateway_project.doctor.findings import Finding, failed, note, ok
from predictions import record

ACCOUNT = "doctor"
_ACTOR = "command doctor"
_TIER = "enterprise"
_REFUSED_WITHIN_S = 1.0
_UPDATE_WITHIN_S = 5.0
# From the networks that are kept for documentation: nobody has it.
_NOBODYS_ADDRESS = "203.0.113.99"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer over HTTP; `status` 0 where there was none."""

    status: int
    text: str


def look(url: str, publish: str | None) -> Iterable[Finding]:
    """Everything that is asked of the gateway at `url`; `publish` names a symbol to publish for."""
    health = get(f"{url}/health")
    if not health.status:
        yield failed(
            "gateway", f"{url} does not answer: {health.text}", "start `manage.py serve`, or give --url"
        )
        return
    yield from _read_health(url, health)
    try:
        with _own_key() as issued:
            yield from _look_with(url, issued, publish)
    except DatabaseFailure:
        yield note("key", "not tried: the database cannot be reached")


def get(url: str, **headers: str) -> Answer:
    """GET with `headers`."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as response:  # noqa: S310 # nosec B310 - the operator names it
            return Answer(response.status, response.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode(errors="replace"))
    except (OSError, ValueError) as error:
        return Answer(0, str(getattr(error, "reason", error)))


def _read_health(url: str, health: Answer) -> Iterable[Finding]:
    try:
        told = json.loads(health.text)
        status, dependencies = told["status"], told["dependencies"]
    except (ValueError, KeyError, TypeError):
        yield failed("health", f"{url}/health is not a gateway's", "give the address of the gateway as --url")
        return
    away = [f"{name}: {one['detail']}" for name, one in dependencies.items() if one["status"] != "up"]
    if status == "healthy":
        yield ok("health", f"healthy, version {told['version']}, up for {told['uptime_s']:.0f} s")
    else:
        yield failed("health", f"{status}; {'; '.join(away)}", "see what is said of it above")


@contextlib.contextmanager
def _own_key() -> Iterator[IssuedKey]:
    issued = issue_key_by_names(
        account_name=ACCOUNT, tier_name=_TIER, key_name="round trip", actor=_ACTOR, now=timezone.now()
    )
    try:
        yield issued
    finally:
        revoke_key(key=issued.key, actor=_ACTOR, now=timezone.now())


def _look_with(url: str, issued: IssuedKey, publish: str | None) -> Iterable[Finding]:
    header = {"X-API-Key": issued.secret}
    profile = get(f"{url}/auth/profile", **header)
    if profile.status != 200:
        yield failed(
            "key",
            f"a new key was answered with {profile.status}",
            "the gateway at --url does not use the database that this command uses",
        )
        return
    yield from _look_at_hops(url, issued)
    yield from _look_at_socket(url, issued, publish)
    revoke_key(key=issued.key, actor=_ACTOR, now=timezone.now())
    began = time.monotonic()
    while get(f"{url}/auth/profile", **header).status != 401:
        if time.monotonic() - began > 5 * _REFUSED_WITHIN_S:
            yield failed("key", "a revoked key is still let in", "look for errors of the follower in the log")
            return
        time.sleep(0.05)
    took_s = time.monotonic() - began
    seen = f"made, let in, revoked, and refused after {took_s:.1f} s"
    if took_s > _REFUSED_WITHIN_S + 0.5:
        yield note("key", seen, "the gateway or its database is busy: it should take a second at most")
    else:
        yield ok("key", seen)


def _look_at_hops(url: str, issued: IssuedKey) -> Iterable[Finding]:
    """A header that anybody can write must not be believed; who is written down as the caller tells."""
    get(f"{url}/auth/profile", **{"X-API-Key": issued.secret, "X-Forwarded-For": _NOBODYS_ADDRESS})
    deadline = time.monotonic() + settings.GATEWAY.usage_flush_s + 3
    seen: str | None = None
    while not seen and time.monotonic() < deadline:
        seen = ApiKey.objects.values_list("last_used_address", flat=True).get(pk=issued.key.pk)
        time.sleep(0.2)
    if not seen:
        yield note("proxies", "not told: the use of the key was not written in time")
    elif seen == _NOBODYS_ADDRESS:
        yield failed(
            "proxies",
            "a forged X-Forwarded-For was believed",
            "name your proxies alone in TRUSTED_PROXIES, and let the outermost set the header anew",
        )
    else:
        trusted = ", ".join(settings.GATEWAY.trusted_proxies) or "nobody"
        hint = "where that is a proxy of yours, name it in TRUSTED_PROXIES"
        yield ok("proxies", f"this caller is {seen}; trusted: {trusted} ({hint})")


def _look_at_socket(url: str, issued: IssuedKey, publish: str | None) -> Iterable[Finding]:
    address = re.sub(r"^http", "ws", url) + "/ws/predictions"
    wanted = [publish] if publish else [one.symbol for one in record.last(100)]
    symbols = list(dict.fromkeys(wanted))[:100]
    if not symbols:
        yield note("socket", "nothing was ever published", "publish a prediction, or give --publish SYMBOL")
        return
    try:
        with connect(address, additional_headers={"X-API-Key": issued.secret}, open_timeout=5) as opened:
            opened.recv(timeout=5)
            opened.send(json.dumps({"action": "subscribe", "symbols": symbols, "snapshot": False}))
            opened.recv(timeout=5)
            if publish:
                asyncio.run(_publish(_prediction_of(publish)))
            yield _await_update(opened, publish)
    except (OSError, TimeoutError, WebSocketException) as error:
        reason = str(error) or type(error).__name__
        yield failed(
            "socket", f"{address}: {reason}", "a proxy in front must pass Upgrade on, to role ws or all"
        )


def _await_update(opened: Any, publish: str | None) -> Finding:
    try:
        frame = json.loads(opened.recv(timeout=_UPDATE_WITHIN_S))
    except TimeoutError:
        if publish:
            return failed(
                "socket", f"what was published for {publish} did not arrive", "look whether a bridge runs"
            )
        return note(
            "socket", f"no update in {_UPDATE_WITHIN_S:g} s", "if some were due: is the pipeline publishing?"
        )
    update = frame["updates"][-1] if frame["type"] == "batch" else frame
    made = datetime.fromisoformat(update["timestamp"])
    age_ms = (datetime.now(UTC) - made) / timedelta(milliseconds=1)
    return ok("socket", f"an update of {update['symbol']} arrived {age_ms:.0f} ms after its timestamp")


def _prediction_of(symbol: str) -> bytes:
    """One like the newest of `symbol`, made now."""
    newest = record.newest([symbol]).get(symbol)
    price = newest.current_price if newest else 1.0
    made = {
        "symbol": symbol,
        "timestamp": datetime.now(UTC).isoformat(),
        "current_price": price,
        "predicted_price": newest.predicted_price if newest else price,
        "confidence": newest.confidence if newest else 0.5,
        "horizon": newest.horizon if newest else "1d",
        "model_version": "doctor",
    }
    return json.dumps(made).encode()


async def _publish(payload: bytes) -> None:
    client = await nats.connect(
        [part.strip() for part in settings.GATEWAY.nats_url.split(",")], name="doctor"
    )
    await client.jetstream().publish(streams.PREDICTION_UPDATED, payload)
    await client.close()
