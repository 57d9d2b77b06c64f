"""Is it the same work? Every contender is asked a few things before it is measured."""

from __future__ import annotations

import http.client
from dataclasses import dataclass

import msgspec

from benchmarks.http.contenders import Contender
from benchmarks.http.wrk import Call

_FIELDS = {
    *("symbol", "predicted_price", "current_price", "confidence", "horizon", "model_version", "timestamp"),
    *("as_of", "seq", "age_seconds", "stale"),
}
_LIMITS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_TIMEOUT_S = 10.0


class OtherWork(Exception):
    """A contender does not answer as the others do."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def __getitem__(self, name: str) -> str:
        """A header, empty without it."""
        return self.headers.get(name.lower(), "")


def ask(port: int, call: Call, **more: str) -> Answer:
    """One GET, with `more` headers, whose names are written with underscores."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request(
            "GET", call.path, headers=call.headers | {n.replace("_", "-"): v for n, v in more.items()}
        )
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())
    finally:
        connection.close()


def check(port: int, contender: Contender, call: Call) -> None:
    """Raise `OtherWork` unless reading one prediction by `call` works as the contract has it."""
    if contender.is_constant:
        return
    answer = ask(port, call, X_Request_ID="from-the-client")
    fields = set(msgspec.json.decode(answer.body, type=dict[str, object])) if answer.body else set()
    wrong = {
        "status": answer.status != 200,
        "fields": fields != _FIELDS,
        "weak ETag": not answer["ETag"].startswith('W/"'),
        "Cache-Control": "private" not in answer["Cache-Control"],
        "X-Request-ID": answer["X-Request-ID"] != "from-the-client" or not ask(port, call)["X-Request-ID"],
        "limits": not all(answer[name].isdecimal() for name in _LIMITS),
        "304": ask(port, call, If_None_Match=answer["ETag"]).status != 304,
        "401": ask(port, call, X_API_Key="nobody's").status != 401,
    }
    found = [name for name, is_wrong in wrong.items() if is_wrong and name not in contender.lacks]
    if found:
        raise OtherWork(f"{contender.name} is wrong about: {', '.join(found)}; it said {answer}")
