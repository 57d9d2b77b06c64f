"""Which request targets are hot reads and what they ask for: what the views would read, or no plan at all."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest
from django.test import RequestFactory
from django.urls import resolve
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_django import Settings
from rest_framework.request import Request

from accounts.access import ROUTES
from accounts.callers import ANONYMOUS
from explanations import jobs
from explanations import reads as explanation_reads
from explanations.ordering import UnknownJob
from explanations.problems import UnknownExplanation
from explanations.views import ExplanationJobViewSet, ExplanationViewSet
from gateway_project import hot_plans
from gateway_project.hot_plans import Plan, find
from predictions import history
from predictions import views as prediction_views
from predictions.documents import PredictionDocument
from predictions.history import Wanted
from predictions.views import PredictionViewSet
from tests.realtime.peers import document

JOB = uuid.UUID("0192f0c1-2a3b-7c4d-8e5f-60718293a4b5")
HUNDRED = [first + second for first in "ABCDEFGHIJ" for second in "KLMNOPQRST"]


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """No plan is remembered from a test with other settings."""
    forget()
    yield
    forget()


def forget() -> None:
    """All plans."""
    hot_plans._find_short.cache_clear()
    hot_plans._find_long.cache_clear()


def plan(target: str) -> Plan:
    """The plan of `target`, which has one."""
    found = find(target.encode())
    assert found is not None, target
    return found


@pytest.mark.parametrize("root", ["/api/", "/api/v1/"])
@pytest.mark.parametrize(
    ("target", "route", "symbols", "features"),
    [
        ("prediction/AAPL", "prediction", ("AAPL",), False),
        ("prediction/AAPL?", "prediction", ("AAPL",), False),
        ("prediction/AAPL?include_features=true", "prediction", ("AAPL",), True),
        ("prediction/AAPL?include_features=false", "prediction", ("AAPL",), False),
        ("predictions?symbols=AAPL", "predictions", ("AAPL",), False),
        ("predictions?symbols=MSFT,AAPL,MSFT", "predictions", ("MSFT", "AAPL"), False),
        ("predictions?symbols=A%2CB", "predictions", ("A", "B"), False),
        ("predictions?symbols=A&include_features=true", "predictions", ("A",), True),
        ("predictions?include_features=true&symbols=A", "predictions", ("A",), True),
        ("predictions?&symbols=A&", "predictions", ("A",), False),
    ],
)
def test_a_read_of_predictions_has_a_plan(
    root: str, target: str, route: str, symbols: tuple[str, ...], features: bool
) -> None:
    need = ROUTES[route]["GET"]
    path = root + target.partition("?")[0]
    assert plan(root + target) == Plan(
        route, path, need, need.cost, symbols=symbols, include_features=features
    )


def test_a_read_of_a_hundred_predictions_has_a_plan() -> None:
    assert plan(f"/api/predictions?symbols={','.join([*HUNDRED, *HUNDRED])}").symbols == tuple(HUNDRED)


@pytest.mark.parametrize("root", ["/api/", "/api/v1/"])
@pytest.mark.parametrize(
    ("target", "depth"),
    [
        ("explanation/AAPL", None),
        ("explanation/AAPL?depth=fast", "fast"),
        ("explanation/AAPL?depth=medium", "medium"),
        ("explanation/AAPL?depth=d%65ep", "deep"),
    ],
)
def test_a_read_of_an_explanation_has_a_plan(root: str, target: str, depth: str | None) -> None:
    need, path = ROUTES["explanation"]["GET"], f"{root}explanation/AAPL"
    assert plan(root + target) == Plan("explanation", path, need, need.cost, symbols=("AAPL",), depth=depth)


@pytest.mark.parametrize("root", ["/api/", "/api/v1/"])
@pytest.mark.parametrize(
    ("query", "changes"),
    [
        ("", {}),
        ("limit=10", {"limit": 10}),
        ("limit=1000&include_features=true", {"limit": 1000, "include_features": True}),
        ("include_outcome=true&include_features=false", {"include_outcome": True}),
        ("from=2013-03-01", {"start": datetime(2013, 3, 1, tzinfo=UTC)}),
        ("to=2013-03-01T10:00:00%2B01:00", {"end": datetime(2013, 3, 1, 9, tzinfo=UTC)}),
        ("cursor=-1.a", {"before": (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), 10)}),
    ],
)
def test_a_page_of_the_history_has_a_plan(root: str, query: str, changes: dict[str, Any]) -> None:
    need, path = ROUTES["prediction-history"]["GET"], f"{root}prediction/AAPL/history"
    wanted = Wanted("AAPL", None, None, None, 100, include_features=False, include_outcome=False)
    assert plan(f"{path}?{query}") == Plan(
        "prediction-history", path, need, need.cost, history=wanted._replace(**changes)
    )


@pytest.mark.parametrize("root", ["/api/", "/api/v1/"])
def test_a_question_after_a_job_has_a_plan(root: str) -> None:
    need, path = ROUTES["explanation-job"]["GET"], f"{root}explanation/job/{JOB}"
    assert plan(path) == Plan("explanation-job", path, need, need.cost, job_id=JOB)


ODD_PATHS = {
    "nothing": "",
    "root": "/",
    "asterisk": "*",
    "no slash": "api/prediction/AAPL",
    "two slashes": "//api/prediction/AAPL",
    "absolute form": "http://127.0.0.1/api/prediction/AAPL",
    "authority form": "127.0.0.1:8000",
    "another version": "/api/v2/prediction/AAPL",
    "the alias twice": "/api/v1/v1/prediction/AAPL",
    "capital path": "/API/prediction/AAPL",
    "dots": "/api/../api/prediction/AAPL",
    "history, slash at the end": "/api/prediction/AAPL/history/",
    "history, lower case": "/api/prediction/aapl/history",
    "history, no symbol": "/api/prediction//history",
    "accuracy": "/api/prediction/AAPL/accuracy",
    "slash at the end": "/api/prediction/AAPL/",
    "slash inside": "/api/prediction/A/B",
    "many, slash at the end": "/api/predictions/?symbols=A",
    "no symbol": "/api/prediction/",
    "no symbol, no slash": "/api/prediction",
    "lower case": "/api/prediction/aapl",
    "space": "/api/prediction/AA PL",
    "plus": "/api/prediction/A+B",
    "long symbol": f"/api/prediction/{'A' * 33}",
    "line break": "/api/prediction/AAPL\n",
    "NUL": "/api/prediction/AAPL\0",
    "percent, harmless": "/api/prediction/AAP%4C",
    "percent, slash": "/api/prediction/A%2FB",
    "percent, question mark": "/api/prediction/AAPL%3Finclude_features=true",
    "percent in another part": "/ap%69/prediction/AAPL",
    "percent alone": "/api/prediction/AAPL%",
    "fragment": "/api/prediction/AAPL#x",
    "fragment, empty": "/api/prediction/AAPL#",
    "fragment in the query": "/api/prediction/AAPL?include_features=true#x",
    "semicolon": "/api/prediction/AAPL;x=y",
    "version": "/version",
    "readiness": "/health/ready",
    "profile": "/auth/profile",
    "admin": "/admin/",
    "job, no id": "/api/explanation/job/",
    "job, no id, no slash": "/api/explanation/job",
    "job, capitals": f"/api/explanation/job/{str(JOB).upper()}",
    "job, no dashes": f"/api/explanation/job/{JOB.hex}",
    "job, braces": f"/api/explanation/job/{{{JOB}}}",
    "job, urn": f"/api/explanation/job/urn:uuid:{JOB}",
    "job, one too short": f"/api/explanation/job/{str(JOB)[:-1]}",
    "job, slash": f"/api/explanation/job/{JOB}/",
    "job, no UUID": "/api/explanation/job/AAPL",
    "explanation, lower case": "/api/explanation/aapl",
    "explanation, no symbol": "/api/explanation/",
}
ODD_QUERIES = {
    "unknown": "prediction/AAPL?x=1",
    "unknown, without value": "prediction/AAPL?x",
    "unknown next to a known one": "prediction/AAPL?include_features=true&x=1",
    "symbols of one": "prediction/AAPL?symbols=MSFT",
    "depth of a prediction": "prediction/AAPL?depth=fast",
    "name in capitals": "prediction/AAPL?Include_Features=true",
    "second question mark": "prediction/AAPL??include_features=true",
    "features, empty": "prediction/AAPL?include_features=",
    "features, no equals sign": "prediction/AAPL?include_features",
    "features, capital": "prediction/AAPL?include_features=True",
    "features, number": "prediction/AAPL?include_features=1",
    "features, space": "prediction/AAPL?include_features=true+",
    "features, twice the same": "prediction/AAPL?include_features=true&include_features=true",
    "features, twice": "prediction/AAPL?include_features=false&include_features=true",
    "features, twice, one written oddly": "prediction/AAPL?include_features=true&include%5Ffeatures=true",
    "many, none": "predictions",
    "many, no query": "predictions?",
    "many, empty": "predictions?symbols=",
    "many, one of them empty": "predictions?symbols=A,,B",
    "many, comma at the end": "predictions?symbols=A,",
    "many, lower case": "predictions?symbols=A,b",
    "many, space": "predictions?symbols=A,+B",
    "many, percent space": "predictions?symbols=A,%20B",
    "many, twice": "predictions?symbols=A&symbols=B",
    "many, semicolon": "predictions?symbols=A;include_features=true",
    "many, no UTF-8": "predictions?symbols=A%FF",
    "many, not ASCII": "predictions?symbols=%C3%84",
    "many, NUL": "predictions?symbols=A%00",
    "many, unknown": "predictions?symbols=A&limit=1",
    "many, features odd": "predictions?symbols=A&include_features=yes",
    "too many": f"predictions?symbols={','.join([*HUNDRED, 'ZZ'])}",
    "explanation, depth empty": "explanation/AAPL?depth=",
    "explanation, depth unknown": "explanation/AAPL?depth=deepest",
    "explanation, depth in capitals": "explanation/AAPL?depth=FAST",
    "explanation, depth twice": "explanation/AAPL?depth=fast&depth=fast",
    "explanation, unknown": "explanation/AAPL?include_features=true",
    "history, unknown": "prediction/AAPL/history?x=1",
    "history, symbols": "prediction/AAPL/history?symbols=MSFT",
    "history, turned around": "prediction/AAPL/history?from=2013-03-02&to=2013-03-01",
    "history, no time": "prediction/AAPL/history?from=yesterday",
    "history, no cursor": "prediction/AAPL/history?cursor=",
    "history, not our cursor": "prediction/AAPL/history?cursor=x",
    "history, limit too low": "prediction/AAPL/history?limit=0",
    "history, limit too high": "prediction/AAPL/history?limit=1001",
    "history, limit twice": "prediction/AAPL/history?limit=1&limit=2",
    "history, features odd": "prediction/AAPL/history?include_features=yes",
    "history, outcome odd": "prediction/AAPL/history?include_outcome=1",
    "job with a query": f"explanation/job/{JOB}?x=1",
    "job with a depth": f"explanation/job/{JOB}?depth=fast",
}


@pytest.mark.parametrize("target", ODD_PATHS.values(), ids=ODD_PATHS.keys())
def test_an_odd_path_has_no_plan(target: str) -> None:
    assert find(target.encode()) is None


@pytest.mark.parametrize("root", ["/api/", "/api/v1/"])
@pytest.mark.parametrize("target", ODD_QUERIES.values(), ids=ODD_QUERIES.keys())
def test_an_odd_query_has_no_plan(root: str, target: str) -> None:
    assert find((root + target).encode()) is None


@pytest.mark.parametrize(
    "target",
    [
        b"/api/prediction/\xc3\x84",
        b"/api/prediction/\xff",
        b"/api/predictions?symbols=\xc3\x84",
        b"/api/prediction/AAPL?\xff",
        b"\xff",
    ],
    ids=["path, UTF-8", "path, no UTF-8", "value, UTF-8", "query, no UTF-8", "all"],
)
def test_bytes_that_are_not_ascii_have_no_plan(target: bytes) -> None:
    assert find(target) is None


@pytest.mark.parametrize("parameter", [b"a&", b"&", b"symbols=A&"])
def test_more_parameters_than_django_reads_have_no_plan(parameter: bytes) -> None:
    assert find(b"/api/prediction/AAPL?" + parameter * 1001) is None


def test_a_target_that_is_far_too_long_has_no_plan_and_is_not_kept() -> None:
    longest = b"/api/prediction/AAPL?" + b"&" * (4096 - len("/api/prediction/AAPL?"))
    assert find(longest + b"&") is None
    assert hot_plans._find_long.cache_info().currsize == 0


def test_what_was_worked_out_is_remembered_in_a_bounded_number() -> None:
    many = f"/api/predictions?symbols={','.join(HUNDRED)}".encode()
    for target in (b"/api/prediction/AAPL", b"/api/prediction/aapl", many, many.lower()):
        assert find(target) is find(target)
    for remembered in (hot_plans._find_short, hot_plans._find_long):
        info = remembered.cache_info()
        assert (info.currsize, info.hits) == (2, 2)
        assert info.maxsize is not None


def test_a_place_in_a_history_is_not_remembered() -> None:
    for number in range(3):
        plan(f"/api/prediction/AAPL/history?cursor=643{number}.1")
        plan(f"/api/prediction/AAPL/history?limit=10&include_features=true&cursor=643{number}.1a")
    assert hot_plans._find_short.cache_info().currsize == hot_plans._find_long.cache_info().currsize == 0


def test_what_a_symbol_looks_like_is_as_the_gateway_is_set_up(settings: Settings) -> None:
    assert find(b"/api/prediction/A_B") is None
    assert find(b"/api/predictions?symbols=A_B") is None
    forget()
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, symbol_pattern="[A-Z]_[A-Z]")
    assert plan("/api/prediction/A_B").symbols == plan("/api/predictions?symbols=A_B").symbols == ("A_B",)
    assert find(b"/api/prediction/AAPL") is None


@pytest.mark.parametrize(
    "target",
    [
        "/api/prediction/A%42",
        "/api/explanation/A%42",
        "/api/prediction/AB#x",
        "/api/predictions?symbols=AB#x",
        "/api/predictions?symbols=AB&include_features=true#x",
    ],
)
def test_percent_signs_in_paths_and_fragments_have_no_plan_whatever_a_symbol_may_be(
    settings: Settings, target: str
) -> None:
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, symbol_pattern="[^,]+")
    assert plan("/api/prediction/a:b").symbols == ("a:b",)
    assert find(target.encode()) is None


def asked_by_the_view(target: str) -> Any:
    """What Django's way of this GET asks for: symbols and features, symbol and depth, a page, or the job."""
    request = Request(RequestFactory().get(target))
    request.user = cast(Any, ANONYMOUS)
    match = resolve(request.path)
    with pytest.MonkeyPatch.context() as patched:
        return _ASKED[match.view_name](patched, request, match.kwargs)


Asked = Callable[[pytest.MonkeyPatch, Request, dict[str, Any]], Any]


def _asked_by_prediction(patched: pytest.MonkeyPatch, request: Request, place: dict[str, Any]) -> Any:
    wanted = _keep_predictions(patched)
    shown = PredictionViewSet().retrieve(request, **place).data
    return tuple(wanted), b'"features"' in bytes(shown)


def _asked_by_predictions(patched: pytest.MonkeyPatch, request: Request, place: dict[str, Any]) -> Any:
    wanted = _keep_predictions(patched)
    shown = PredictionViewSet().list(request, **place).data.predictions
    return tuple(wanted), all(b'"features"' in bytes(one) for one in shown.values())


def _asked_by_history(patched: pytest.MonkeyPatch, request: Request, place: dict[str, Any]) -> Any:
    asked: list[Wanted] = []
    patched.setattr(history, "read", lambda wanted, **_: asked.append(wanted))
    with pytest.raises(prediction_views.UnknownSymbol):
        PredictionViewSet().history(request, **place)
    [wanted] = asked
    return wanted


def _asked_by_explanation(patched: pytest.MonkeyPatch, request: Request, place: dict[str, Any]) -> Any:
    wanted: list[str | None] = []
    patched.setattr(explanation_reads, "newest_explanation", lambda *subject: wanted.extend(subject))
    with pytest.raises(UnknownExplanation):
        ExplanationViewSet().retrieve(request, **place)
    return tuple(wanted)


def _asked_by_job(patched: pytest.MonkeyPatch, request: Request, place: dict[str, Any]) -> Any:
    wanted: list[uuid.UUID] = []
    patched.setattr(jobs, "find", lambda job_id, **_: wanted.append(job_id))
    with pytest.raises(UnknownJob):
        ExplanationJobViewSet().retrieve(request, **place)
    [job_id] = wanted
    return job_id


_ASKED: dict[str, Asked] = {
    "prediction": _asked_by_prediction,
    "predictions": _asked_by_predictions,
    "prediction-history": _asked_by_history,
    "explanation": _asked_by_explanation,
    "explanation-job": _asked_by_job,
}


def _keep_predictions(patched: pytest.MonkeyPatch) -> list[str]:
    wanted: list[str] = []

    def find_all(symbols: list[str], asked_by: str, moment: datetime | None) -> dict[str, PredictionDocument]:
        assert moment is None, "an earlier moment is in no memory"
        wanted.extend(symbols)
        return {symbol: document(1, symbol) for symbol in symbols}

    patched.setattr(prediction_views, "_newest", find_all)
    return wanted


def asked_by(found: Plan) -> Any:
    """The same of a plan."""
    if found.route in ("prediction", "predictions"):
        return found.symbols, found.include_features
    return found.job_id or found.history or (*found.symbols, found.depth)


PATHS = [
    "prediction/",
    "predictions",
    "explanation/",
    "explanation/job/",
    "prediction/AAPL/history",
    "prediction/AAPL/accuracy",
]
SYMBOLS = ["AAPL", "MSFT", "GOOGLE", "aapl", "", "A B", "A%42", "job", str(JOB), JOB.hex]
PARTS = [
    "symbols=AAPL",
    "symbols=MSFT,AAPL,MSFT",
    "symbols=A%2CB",
    "symbols=",
    "symbols=a",
    "include_features=true",
    "include_features=false",
    "include_features=%74rue",
    "include_features=",
    "include_features=1",
    "as_of=2013-03-01",
    "from=2013-03-01",
    "to=2013-03-02",
    "cursor=1.1",
    "limit=7",
    "include_outcome=true",
    "depth=fast",
    "depth=deep",
    "depth=",
    "x=1",
    "",
]


@settings(deadline=None, max_examples=300)
@given(
    root=st.sampled_from(["/api/", "/api/v1/"]),
    path=st.sampled_from(PATHS),
    symbol=st.sampled_from(SYMBOLS),
    query=st.lists(st.sampled_from(PARTS), max_size=3),
)
def test_whatever_has_a_plan_is_read_as_the_view_would_read_it(
    root: str, path: str, symbol: str, query: list[str]
) -> None:
    target = f"{root}{path}{symbol if path.endswith('/') else ''}?{'&'.join(query)}"
    found = find(target.encode())
    if found is not None:
        assert asked_by(found) == asked_by_the_view(target)


@pytest.mark.parametrize(
    "target",
    [
        "/api/prediction/AAPL",
        "/api/v1/prediction/AAPL?include_features=true",
        "/api/predictions?symbols=B,A,B&include_features=true",
        "/api/predictions?symbols=A%2CB",
        "/api/prediction/AAPL/history",
        "/api/prediction/AAPL/history?from=2013-03-01&to=2013-03-02&cursor=1.1&limit=7&include_outcome=true",
        "/api/explanation/AAPL",
        "/api/explanation/AAPL?depth=deep",
        f"/api/explanation/job/{JOB}",
    ],
)
def test_the_usual_reads_have_a_plan_and_it_reads_what_the_view_reads(target: str) -> None:
    assert asked_by(plan(target)) == asked_by_the_view(target)
