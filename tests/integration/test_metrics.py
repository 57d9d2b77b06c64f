"""`/metrics` of live processes: right with several workers, read by promtool, closed to strangers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway_project import embedded
from tests import programs
from tests.people import add_key, add_tier
from tests.stack import Stack, event, eventually

CALLS = 60


@pytest.fixture(scope="module")
def workers(stack: Stack) -> Iterator[str]:
    """Three processes behind one port."""
    port = embedded.free_port()
    process = stack.start("serve", "--port", str(port), "--workers", "3")
    url = f"http://127.0.0.1:{port}"
    eventually(lambda: _count_processes(url) == 3, timeout_s=60)
    yield url
    process.terminate()
    process.wait(timeout=60)


def samples(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample, by name and labels."""
    text = httpx.get(f"{url}/metrics", timeout=60).raise_for_status().text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(url: str, name: str, **labels: str) -> float:
    """The sum of the samples of `name` that have these labels."""
    wanted = set(labels.items())
    return sum(value for (found, has), value in samples(url).items() if found == name and wanted <= has)


def test_all_workers_are_told_of_whichever_is_asked(stack: Stack, workers: str, known: str) -> None:
    key = add_key(stack, "enterprise").header
    before = total(workers, "pgw_http_requests_total", route="prediction", status="200")
    for _ in range(CALLS):
        # Each over a connection of its own: the kernel spreads them over the workers.
        assert httpx.get(f"{workers}/api/prediction/{known}", headers=key).status_code == 200
    eventually(
        lambda: total(workers, "pgw_http_requests_total", route="prediction", status="200") >= before + CALLS
    )
    for _ in range(10):
        after = total(workers, "pgw_http_requests_total", route="prediction", status="200")
        assert after - before == CALLS
    read = total(workers, "pgw_reads_total", route="prediction")
    assert read >= CALLS


def test_a_worker_that_died_is_open_no_more_but_what_it_counted_stays(stack: Stack, workers: str) -> None:
    counted = total(workers, "pgw_http_requests_total")
    pids = {dict(has)["pid"] for name, has in samples(workers) if name == "pgw_process_open_files"}
    victim = pids.pop()
    subprocess.run(["kill", "-9", victim], check=True)
    eventually(lambda: _is_replaced(workers, victim))
    assert total(workers, "pgw_http_requests_total") >= counted


def test_limits_refusals_and_credentials_are_counted(stack: Stack, workers: str, known: str) -> None:
    tier = add_tier(stack, ("small", "account", 2, 3600, None))
    key = add_key(stack, tier).header
    url = f"{workers}/api/prediction/{known}"
    statuses = [httpx.get(url, headers=key).status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    assert httpx.get(url, headers={"X-API-Key": "junk"}).status_code == 401
    eventually(
        lambda: (
            total(workers, "pgw_authentications_total", kind="none", outcome="refused") >= 1
            and total(workers, "pgw_limit_decisions_total", tier=tier) == 4
        )
    )
    assert total(workers, "pgw_limit_decisions_total", tier=tier, decision="admitted", policy="all") == 2
    assert total(workers, "pgw_limit_decisions_total", tier=tier, decision="refused", policy="small") == 2
    assert total(workers, "pgw_authentication_failures_total", reason="malformed") >= 1
    assert total(workers, "pgw_authentications_total", kind="none", outcome="refused") >= 1


def test_sockets_and_their_updates_are_counted(stack: Stack, known: str) -> None:
    before = total(stack.base_url, "pgw_socket_updates_sent_total")
    with stack.socket(known) as opened:
        eventually(lambda: total(stack.base_url, "pgw_subscriptions") >= 1)
        assert total(stack.base_url, "pgw_sockets") >= 1
        stack.publish(event(known, predicted_price=7.0))
        opened.recv(timeout=60)
        eventually(lambda: total(stack.base_url, "pgw_socket_updates_sent_total") > before)
        assert total(stack.base_url, "pgw_publish_to_send_seconds_count") >= 1


def test_promtool_finds_nothing_to_complain_about(workers: str) -> None:
    text = httpx.get(f"{workers}/metrics").text
    checked = subprocess.run(
        [programs.find("promtool", "prometheus"), "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_labels_are_names_of_the_gateway_and_never_what_a_caller_has_written(workers: str) -> None:
    before = _count_calls(workers)
    for path in ("/api/prediction/QWERT", "/nowhere/QWERT", "/api/QWERT?symbols=QWERT"):
        httpx.get(workers + path, headers={"X-API-Key": "QWERT"})
        assert httpx.request("QWERT", workers + path).status_code == 400
    # What cannot be read as a request is no call.
    eventually(lambda: _count_calls(workers) >= before + 3)
    assert "QWERT" not in httpx.get(f"{workers}/metrics").text


def _count_calls(url: str) -> float:
    """All but those that ask for the metrics."""
    return total(url, "pgw_http_requests_total") - total(url, "pgw_http_requests_total", route="metrics")


def _pids(url: str) -> set[str]:
    return {dict(has)["pid"] for name, has in samples(url) if name == "pgw_process_open_files"}


def _is_replaced(url: str, victim: str) -> bool:
    try:
        return victim not in _pids(url) and _count_processes(url) == 3
    except httpx.TransportError:  # it was the victim that the kernel had chosen
        return False


def _count_processes(url: str) -> int:
    try:
        return len(_pids(url))
    except (httpx.TransportError, httpx.HTTPStatusError):
        return 0
