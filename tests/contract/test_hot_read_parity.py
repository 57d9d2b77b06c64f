"""Two ways of a read, one answer: thousands of requests to a process with hot reads and to one without.

Equal are status, headers and body, but for the date, the request id, the age of a prediction, and the random
padding of what is compressed.
"""

from __future__ import annotations

import gzip
import http.client
import itertools
import json
import random
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from accounts import keys
from tests.explained import add_explanation, add_job
from tests.people import add_account, add_key, add_user, bearer, log_in
from tests.stack import Stack, event, eventually

Headers = list[tuple[str, str]]

DRAWN = 1_200
SEED = 20_130_301
FRESH, STALE, PLAIN, LATE = "FRSH", "STAL", "PLAN", "LATE"
MANY = [f"MANY{letter}" for letter in "ABCDEFGHIJ"]

# What may differ: when, which request, and how many bytes an age or a padding takes.
_VARIABLE = {"date", "x-request-id", "content-length"}
_AGE = re.compile(rb'"age_seconds":[0-9.]+')
# Moments that pass between the two requests of a pair.
_COUNTDOWNS = re.compile(r"\bt=\d+")


@dataclass
class Way:
    """One of the two processes; callers are the same to it as to the other, each with counters of its own."""

    base_url: str
    address: str
    callers: dict[str, Headers] = field(default_factory=dict)
    connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, target: str, headers: Headers) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=60)
        self.connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in [*headers, ("X-Forwarded-For", self.address)]:
            self.connection.putheader(name, value)
        self.connection.endheaders()
        response = self.connection.getresponse()
        body = response.read()
        return response.status, _joined(response.getheaders()), body


@dataclass
class Both:
    """The two ways, and what there is to be asked for."""

    hot: Way
    cold: Way
    targets: list[str]
    jobs: dict[str, uuid.UUID]


@pytest.fixture(scope="module")
def both(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Two web processes on the shared stack, and something to read; neither fails and leaves it to Django."""
    log = tmp_path_factory.mktemp("parity") / "log"
    cold, hot = _start(stack, "false", "10.0.0.1", log), _start(stack, "true", "10.0.0.2", log)
    early = datetime.now(UTC) - timedelta(hours=1)
    stack.publish(
        event(FRESH, features={"momentum_21d": 0.04, "label": 'a "quoted" one'}),
        event(STALE, timestamp=early.isoformat()),
        event(PLAIN, timestamp="2013-03-01T21:00:00Z", as_of="2013-03-01", horizon='1"d', model_version="ü"),
        event(LATE),
        event(LATE, timestamp=early.isoformat()),
        *(event(symbol, model_version="x" * 60) for symbol in MANY),
    )
    for symbol in (FRESH, STALE, PLAIN, LATE, *MANY):
        eventually(lambda symbol=symbol: stack.read(symbol))  # type: ignore[misc]
    add_explanation(stack, FRESH)
    accounts = {way.address: add_account(stack, "enterprise") for way in (hot, cold)}
    jobs = {}
    for name, state in (("queued", None), ("failed", "failed"), ("cancelled", "cancelled")):
        jobs[name] = add_job(stack, accounts[hot.address])
        if state is not None:
            _end_job(stack, jobs[name], state)
    jobs["done"] = _join(stack, add_explanation(stack, PLAIN), accounts[hot.address])
    for way in (hot, cold):
        _introduce(stack, way, accounts[hot.address])
    yield Both(hot, cold, _targets(jobs), jobs)
    for way in (hot, cold):
        if way.connection is not None:
            way.connection.close()
    assert "failed" not in log.read_text()


def test_thousands_of_requests_are_answered_alike_by_both_ways(both: Both) -> None:
    draw = random.Random(SEED)
    for number in range(DRAWN):
        method, target, caller, more = _drawn(draw, both)
        _compare(both, method, target, caller, more, f"request {number}")


def test_every_target_is_answered_alike_to_those_who_may_read_it(both: Both) -> None:
    for target in both.targets:
        for method in ("GET", "HEAD"):
            for caller in ("key", "pro", "person"):
                _compare(both, method, target, caller, [], "plain")
                _compare(both, method, target, caller, [("Accept-Encoding", "gzip, br")], "gzip")


def test_what_has_not_changed_is_not_sent_again_by_either_way(both: Both) -> None:
    for target in both.targets:
        status, headers, _ = both.cold.ask("GET", target, _request(both.cold, "key", []))
        if "etag" not in headers:
            continue
        tag = headers["etag"]
        assert status == 200
        for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*", '"other"', tag[:-1]):
            for method in ("GET", "HEAD"):
                for caller in ("key", "pro"):
                    _compare(both, method, target, caller, [("If-None-Match", known)], known)


def test_many_are_compressed_to_less_than_half(both: Both) -> None:
    target = f"/api/predictions?symbols={','.join(MANY)}"
    request = _request(both.hot, "key", [("Accept-Encoding", "gzip")])
    status, headers, body = both.hot.ask("GET", target, request)
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert len(body) < len(gzip.decompress(body)) / 2


def _drawn(draw: random.Random, both: Both) -> tuple[str, str, str, Headers]:
    method = draw.choices(["GET", "HEAD", "OPTIONS", "POST", "DELETE"], [70, 15, 5, 5, 5])[0]
    target = draw.choice(both.targets)
    if method == "DELETE" and "/job/" in target:
        method = "GET"  # it would end the job of one of the two
    caller = draw.choice([*both.hot.callers, "key", "key", "key"])
    more: Headers = []
    for name, values in _CHOICES.items():
        value = draw.choice(values)
        if value is not None and draw.random() < 0.4:
            more.append((name, value))
    if draw.random() < 0.1:
        more.append(draw.choice(_ODD))
    if method == "POST":
        more.append(("Content-Length", "0"))
    return method, target, caller, more


_CHOICES: dict[str, list[str | None]] = {
    "If-None-Match": ["*", '"x"', 'W/"x"', "x", ""],
    "Accept": ["*/*", "application/json", "text/html", "text/html, */*;q=0.1", "application/*", "x", ""],
    "Accept-Encoding": ["gzip", "gzip, deflate, br, zstd", "br", "identity", "gzip;q=0", ""],
    "Origin": ["https://dashboard.example", "https://evil.example", "null", None],
    "X-Request-ID": ["abcdefgh-12345678", "short", "with space in it", "x" * 200],
    "Cookie": ["sessionid=abc", "sessionid=\x7f", "csrftoken=x", "a=b; c=d"],
    "User-Agent": ["parity/1", "", "ü"],
}
_ODD: Headers = [
    ("X_API_Key", "nothing"),
    ("X-API-Key", "second"),
    ("Range", "bytes=0-1"),
    ("If-Match", '"x"'),
    ("If-Modified-Since", "Fri, 01 Mar 2013 21:00:00 GMT"),
    ("Content-Length", "0"),
    ("Content-Type", "text/plain"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Proto", "https"),
    ("Upgrade", "h2c"),
    ("Accept", "application/xml"),
    ("Cache-Control", "no-cache"),
    ("Host", "evil.example"),
    ("Expect", "100-continue"),
]


def _compare(both: Both, method: str, target: str, caller: str, more: Headers, what: str) -> None:
    answers = []
    for way in (both.hot, both.cold):
        status, headers, body = way.ask(method, target, _request(way, caller, more))
        answers.append((status, *sorted(_comparable(headers).items()), _plain(headers, body)))
        if method != "HEAD" and "content-length" in headers and status != 304:
            assert int(headers["content-length"]) == len(body)
    asked = f"{what}: {method} {target} by {caller} with {more}"
    for hot, cold in itertools.zip_longest(*answers):
        assert hot == cold, f"{asked}: {answers}"


def _request(way: Way, caller: str, more: Headers) -> Headers:
    host = [] if any(name == "Host" for name, _ in more) else [("Host", "127.0.0.1")]
    return [*host, *way.callers[caller], *more]


def _comparable(headers: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in headers.items() if name not in _VARIABLE}
    for name in ("ratelimit", "x-ratelimit-reset", "retry-after"):
        if name in kept:
            kept[name] = _COUNTDOWNS.sub("t=", kept[name]) if name == "ratelimit" else "soon"
    # A bucket fills between the two requests of a pair.
    if "ratelimit" in kept:
        kept["ratelimit"] = re.sub(r'("burst";r=)\d+', r"\1", kept["ratelimit"])
    if "set-cookie" in kept:
        kept["set-cookie"] = re.sub(r"csrftoken=\w+; expires=[^;]+", "csrftoken=random", kept["set-cookie"])
    if "vary" in kept:
        kept["vary"] = ", ".join(sorted(kept["vary"].lower().split(", ")))
    return kept


def _plain(headers: dict[str, str], body: bytes) -> Any:
    if headers.get("content-encoding") == "gzip" and body:
        body = gzip.decompress(body)
    body = _AGE.sub(b'"age_seconds":0', body)
    if headers.get("content-type", "").startswith("application/") and body:
        read = json.loads(body)
        for name in ("request_id", "timestamp", "retry_after", "estimated_seconds"):
            if "error" in read or name == "estimated_seconds":
                read.pop(name, None)
        if read.get("error") == "RATE_LIMIT_EXCEEDED":
            read["detail"] = re.sub(r"in \d+ s", "in a moment", read["detail"])
        return read
    return body


def _joined(headers: list[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name.lower()] = f"{joined[name.lower()]}, {value}" if name.lower() in joined else value
    return joined


HISTORY = [
    f"/api/prediction/{LATE}/history",
    f"/api/v1/prediction/{LATE}/history?limit=1",
    f"/api/prediction/{LATE}/history?limit=2",
    f"/api/prediction/{FRESH}/history?include_features=true&include_outcome=true",
    f"/api/prediction/{PLAIN}/history?from=2013-03-01&to=2013-03-02",
    f"/api/prediction/{PLAIN}/history?to=2013-03-01",
    f"/api/prediction/{PLAIN}/history?from=2013-03-02T00:00:00%2B01:00",
    f"/api/prediction/{PLAIN}/history?from=2013-03-02&to=2013-03-01",
    f"/api/prediction/{PLAIN}/history?cursor=7fffffffffffff.1",
    f"/api/prediction/{PLAIN}/history?cursor=ffffffffffffffff.1",
    f"/api/prediction/{PLAIN}/history?cursor=nonsense",
    f"/api/prediction/{STALE}/history?limit=0",
    f"/api/prediction/{STALE}/history?limit=",
    f"/api/prediction/{STALE}/history?limit=5&limit=6",
    f"/api/prediction/{STALE}/history?unknown=1",
    f"/api/prediction/{STALE}/history/",
    "/api/prediction/ZZZZZ/history",
    "/api/prediction/aapl/history",
    "/api/prediction//history",
]


def _targets(jobs: dict[str, uuid.UUID]) -> list[str]:
    one = [f"/api/prediction/{symbol}" for symbol in (FRESH, STALE, PLAIN, LATE, MANY[0])]
    many = [
        ",".join(MANY),
        f"{FRESH},{STALE}",
        f"{FRESH}%2C{PLAIN}",
        f"{FRESH},{FRESH}",
        FRESH,
        f"{FRESH},ZZZZZ",
        "ZZZZZ",
        "",
        "aapl",
        f"{FRESH},",
        ",".join(f"A{a}{b}" for a in "ABCDEFGHIJK" for b in "ABCDEFGHIJ"),
    ]
    return [
        *one,
        f"/api/v1/prediction/{FRESH}",
        f"/api/prediction/{FRESH}?include_features=true",
        f"/api/prediction/{FRESH}?include_features=false",
        f"/api/prediction/{STALE}?include_features=true",
        f"/api/prediction/{FRESH}?include_features=TRUE",
        f"/api/prediction/{FRESH}?include_features=",
        f"/api/prediction/{FRESH}?include_features=true&include_features=false",
        f"/api/prediction/{FRESH}?unknown=1",
        f"/api/prediction/{FRESH}?",
        f"/api/prediction/{FRESH}?&",
        f"/api/prediction/{FRESH}/",
        f"/api//prediction/{FRESH}",
        "/api/prediction/%46RSH",
        f"/api/prediction/{FRESH}#x",
        f"/api/prediction/{FRESH};x",
        f"http://127.0.0.1/api/prediction/{FRESH}",
        "/api/prediction/ZZZZZ",
        "/api/prediction/aapl",
        f"/api/prediction/{FRESH},{STALE}",
        "/api/prediction/",
        *(f"/api/predictions?symbols={symbols}" for symbols in many),
        f"/api/v1/predictions?symbols={FRESH},{STALE}",
        f"/api/predictions?symbols={','.join(MANY)}&include_features=true",
        f"/api/predictions?symbols={FRESH}&symbols={STALE}",
        f"/api/predictions?symbols={FRESH}&other=1",
        "/api/predictions",
        *HISTORY,
        f"/api/explanation/{FRESH}",
        f"/api/explanation/{FRESH}?depth=fast",
        f"/api/explanation/{FRESH}?depth=deep",
        f"/api/explanation/{FRESH}?depth=wrong",
        f"/api/explanation/{FRESH}?depth=",
        "/api/explanation/ZZZZZ",
        "/api/explanation/aapl",
        *(f"/api/explanation/job/{job_id}" for job_id in jobs.values()),
        f"/api/v1/explanation/job/{jobs['queued']}",
        f"/api/explanation/job/{str(jobs['done']).upper()}",
        f"/api/explanation/job/{jobs['queued']}?x=1",
        f"/api/explanation/job/{uuid.UUID(int=7)}",
        "/api/explanation/job/nonsense",
        "/api/explanation/job/",
    ]


def _introduce(stack: Stack, way: Way, account: int) -> None:
    """Everybody who may call, as this way knows them."""

    def key(tier: str = "enterprise", **changes: Any) -> Headers:
        return list(add_key(stack, tier, **changes).header.items())

    own = add_key(stack, "enterprise", account=account)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=2)
    replaced = add_key(stack, "enterprise", account=account, expires_at=tomorrow)
    add_key(stack, "enterprise", account=account, replaces_id=replaced.id, lineage=replaced.id)
    person = bearer(log_in(stack, add_user(stack, account=account, role="viewer")))
    unknown = keys.make_key(uuid.uuid4(), "live")
    way.callers = {
        "key": [("X-API-Key", own.secret)],
        "bearer": [("Authorization", f"Bearer {own.secret}")],
        "spaced": [("Authorization", f"  bearer   {own.secret}  ")],
        "both": [("X-API-Key", own.secret), ("Authorization", "Basic eA==")],
        "person": list(person.items()),
        "pro": key("pro"),
        "free": key("free"),
        "nobody": [],
        "empty": [("X-API-Key", "")],
        "junk": [("X-API-Key", "pgw_live_junk")],
        "unknown": [("X-API-Key", unknown)],
        "basic": [("Authorization", "Basic eA==")],
        "streamer": key(scopes='["stream"]'),
        "reader": key(scopes='["predictions:read"]'),
        "revoked": key(revoked_at=yesterday),
        "expired": key(expires_at=yesterday),
        "replaced": [("X-API-Key", replaced.secret)],
        "inside": key(networks='["10.0.0.0/24"]'),
        "outside": key(networks='["192.0.2.0/24"]'),
        "stranger": key(account=add_account(stack, "enterprise")),
    }


def _start(stack: Stack, hot_reads: str, address: str, log: Path) -> Way:
    before = dict(stack.environ), stack.base_url, stack.log_path
    stack.log_path = log
    stack.environ |= {"HOT_READS": hot_reads, "TRUSTED_PROXIES": "127.0.0.0/8", "LOG_LEVEL": "ERROR"}
    try:
        stack.start_web()
        return Way(stack.base_url, address)
    finally:
        stack.environ, stack.base_url, stack.log_path = before


def _end_job(stack: Stack, job_id: uuid.UUID, state: str) -> None:
    if state == "cancelled":
        stack.execute(
            "UPDATE explanations_explanationjob SET cancelled_at = now(), ended_at = now() WHERE id = %s",
            job_id,
        )
        return
    stack.execute(
        "UPDATE explanations_computation SET state = %s, reason = 'for a test', finished_at = now() "
        "WHERE id = (SELECT computation_id FROM explanations_explanationjob WHERE id = %s)",
        state,
        job_id,
    )


def _join(stack: Stack, computation_id: uuid.UUID, account: int) -> uuid.UUID:
    job_id = uuid.uuid4()
    stack.execute(
        "INSERT INTO explanations_explanationjob (id, computation_id, account_id, ordered_by, created_at) "
        "VALUES (%s, %s, %s, 'test', now())",
        job_id,
        computation_id,
        account,
    )
    return job_id
