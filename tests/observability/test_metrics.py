"""What is counted in plain numbers arrives in Prometheus' metrics, with bounded labels."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.parser import text_string_to_metric_families

from observability import exposition, metrics, request_tally


def samples() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of this process, by name and labels."""
    found = {}
    for family in text_string_to_metric_families(exposition.render().decode()):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def step(name: str, **labels: str) -> float:
    """How much a sample has grown by one sampling."""
    key = (name, tuple(sorted(labels.items())))
    before = samples().get(key, 0.0)
    exposition.sample()
    return samples().get(key, 0.0) - before


def answer(
    method: str = "GET", route: str = "prediction", status: int = 200, kind: str = "key", **given: float
) -> None:
    """Count one answer."""
    values: dict[str, float] = {"seconds": 0.003, "bytes_in": 0, "bytes_out": 244, **given}
    request_tally.count(
        method,
        route,
        status,
        kind=kind,
        seconds=values["seconds"],
        bytes_in=int(values["bytes_in"]),
        bytes_out=int(values["bytes_out"]),
    )


def test_answers_are_counted_by_method_route_and_status() -> None:
    exposition.sample()
    for _ in range(3):
        answer(status=304)
    assert step("pgw_http_requests_total", method="GET", route="prediction", status="304") == 3


def test_a_method_that_somebody_made_up_is_another() -> None:
    exposition.sample()
    for method in ("BREW", "PROPFIND", "x" * 1000):
        answer(method=method, route="unmatched", status=405)
    assert step("pgw_http_requests_total", method="other", route="unmatched", status="405") == 3


@pytest.mark.parametrize(
    ("seconds", "le"), [(0.0005, "0.001"), (0.001, "0.001"), (0.0011, "0.0025"), (9.9, "10.0"), (11, "+Inf")]
)
def test_a_duration_is_in_its_bucket_and_in_all_above(seconds: float, le: str) -> None:
    exposition.sample()
    before = samples()
    answer(route="version", seconds=seconds)
    exposition.sample()
    after = samples()
    grown = [
        dict(labels)["le"]
        for (name, labels), value in after.items()
        if name == "pgw_http_request_duration_seconds_bucket"
        and dict(labels)["route"] == "version"
        and value - before.get((name, labels), 0.0) == 1
    ]
    bounds = [str(bound) for bound in metrics.DURATIONS_S] + ["+Inf"]
    assert grown == bounds[bounds.index(le) :]


def test_sums_are_of_seconds_and_bytes() -> None:
    exposition.sample()
    answer(route="start", seconds=0.25, bytes_in=100, bytes_out=5_000)
    answer(route="start", seconds=0.5, bytes_in=0, bytes_out=1_000)
    assert step("pgw_http_request_duration_seconds_sum", method="GET", route="start") == pytest.approx(0.75)
    answer(route="start", bytes_in=50, bytes_out=1)
    assert step("pgw_http_request_size_bytes_sum", route="start") == 50
    answer(route="start", bytes_out=70)
    assert step("pgw_http_response_size_bytes_sum", route="start") == 70


@pytest.mark.parametrize(
    ("kind", "status", "outcome"),
    [
        ("key", 200, "accepted"),
        ("none", 401, "refused"),
        ("person", 404, "accepted"),
        ("key", 403, "accepted"),
    ],
)
def test_callers_are_counted_by_what_they_brought(kind: str, status: int, outcome: str) -> None:
    exposition.sample()
    answer(kind=kind, status=status)
    assert step("pgw_authentications_total", kind=kind, outcome=outcome) == 1


def test_reads_are_counted_by_where_the_value_came_from() -> None:
    exposition.sample()
    for _ in range(5):
        request_tally.read("prediction", "board")
    assert step("pgw_reads_total", route="prediction", source="board") == 5


def test_nothing_is_counted_twice() -> None:
    answer()
    exposition.sample()
    assert step("pgw_http_requests_total", method="GET", route="prediction", status="200") == 0


def test_names_that_staff_choose_are_bounded() -> None:
    names = metrics.Names()
    assert [names.fold(f"tier-{n}") for n in range(metrics.MOST_NAMES)] == [
        f"tier-{n}" for n in range(metrics.MOST_NAMES)
    ]
    assert names.fold("one more") == metrics.OTHER
    assert names.fold("tier-0") == "tier-0"


def test_counts_that_do_not_fit_the_buckets_are_refused() -> None:
    histogram = Histogram("pgw_test", "For a test.", buckets=(1, 2), registry=CollectorRegistry())
    with pytest.raises(ValueError, match="2 counts for 3 buckets"):
        metrics.add_to(histogram, [1, 2], 3.0)


def test_a_sampler_that_fails_costs_the_others_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []

    def fail() -> None:
        raise RuntimeError("no number")

    monkeypatch.setattr(exposition, "_samplers", [fail, lambda: called.append(1)])
    exposition.sample()
    assert called == [1]
    assert "a sampler of metrics failed" in caplog.text


def test_memory_and_descriptors_of_this_process_are_told() -> None:
    exposition.sample()
    found = samples()
    assert found["pgw_process_resident_memory_bytes", ()] > 10_000_000
    assert found["pgw_process_open_files", ()] >= 3
