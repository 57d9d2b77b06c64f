"""Is it the same work? Every contender is asked a few things before it is measured."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from datetime import datetime

import msgspec

from benchmarks.http.contenders import Contender
from benchmarks.http.wrk import Call

_LIMITS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_TIMEOUT_S = 10.0
# A symbol that has no predictions.
_NOBODYS = "ZZZZZ"


class _Prediction(msgspec.Struct, forbid_unknown_fields=True):
    """The contract's fields, all of them and no others."""

    symbol: str
    predicted_price: float
    current_price: float
    confidence: float
    horizon: str
    model_version: str
    timestamp: datetime
    as_of: datetime
    seq: int | None
    age_seconds: float
    stale: bool


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
    answer, known = _read_and_revalidate(port, call)
    again = ask(port, call)
    nobodys = Call(f"{call.path.rpartition('/')[0]}/{_NOBODYS}", call.headers)
    wrong = {
        "status": answer.status != 200,
        "Content-Type": not answer["Content-Type"].startswith("application/json"),
        "fields": not _is_prediction(answer.body, call.path.rpartition("/")[2]),
        "weak ETag": not answer["ETag"].startswith('W/"'),
        "Cache-Control": "private" not in answer["Cache-Control"],
        "X-Request-ID": answer["X-Request-ID"] != "from-the-client" or not again["X-Request-ID"],
        "limits": not _are_counted(answer, again),
        "304": known.status != 304 or known["ETag"] != answer["ETag"] or bool(known.body),
        "another validator": ask(port, call, If_None_Match='W/"another"').status != 200,
        "401": ask(port, call, X_API_Key="nobody's").status != 401,
        "404": ask(port, nobodys).status != 404,
    }
    found = [name for name, is_wrong in wrong.items() if is_wrong and name not in contender.lacks]
    if found:
        raise OtherWork(f"{contender.name} is wrong about: {', '.join(found)}; it said {answer}")


def _read_and_revalidate(port: int, call: Call) -> tuple[Answer, Answer]:
    """The answer, and that to its validator: once more where the last of the updates comes in between."""
    for _ in range(2):
        answer = ask(port, call, X_Request_ID="from-the-client")
        known = ask(port, call, If_None_Match=answer["ETag"])
        if known["ETag"] == answer["ETag"]:
            break
    return answer, known


def _is_prediction(body: bytes, symbol: str) -> bool:
    try:
        return msgspec.json.decode(body, type=_Prediction).symbol == symbol
    except msgspec.MsgspecError:
        return False


def _are_counted(first: Answer, second: Answer) -> bool:
    """True where both calls were told how they stand, and the second has less left than the first."""
    if not all(answer[name].isdecimal() for answer in (first, second) for name in _LIMITS):
        return False
    remaining = _LIMITS[1]
    return int(second[remaining]) < int(first[remaining])
