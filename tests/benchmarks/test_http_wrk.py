"""What is read of wrk's output, and the file that it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.http import wrk
from benchmarks.http.wrk import Call, LoadFailed

ERRORS = '{"connect":0,"read":0,"write":0,"status":%d,"timeout":%d}'
FIGURES = (
    '{"requests":20000,"duration_us":2500000,"bytes":14000000,"p50_us":3120,"p99_us":9870,"max_us":31000,'
    '"errors":%s}'
)
REPORT = "Running 2s test @ http://127.0.0.1:1\n  1 threads and 100 connections\nTransfer/sec: 5.6MB\n"


def output(*, status: int = 0, timeout: int = 0) -> bytes:
    """What wrk says: its own report, and the line of the script."""
    return f"{REPORT}{FIGURES % (ERRORS % (status, timeout))}\n".encode()


def test_figures_are_those_of_the_last_line() -> None:
    figures = wrk.parse(output())

    assert (figures.requests, figures.bytes) == (20_000, 14_000_000)
    assert (figures.p50_us, figures.p99_us, figures.max_us) == (3_120, 9_870, 31_000)
    assert figures.per_s == 8_000


def test_an_answer_of_400_or_above_fails_the_load() -> None:
    with pytest.raises(LoadFailed, match=r"of 20000 requests went wrong: \{'status': 3\}"):
        wrk.parse(output(status=3))


def test_a_request_without_an_answer_in_time_fails_the_load() -> None:
    with pytest.raises(LoadFailed, match=r"\{'timeout': 1\}"):
        wrk.parse(output(timeout=1))


def test_no_answer_at_all_fails_the_load() -> None:
    with pytest.raises(LoadFailed, match="all"):
        wrk.parse(output().replace(b'"requests":20000', b'"requests":0'))


@pytest.mark.parametrize("said", [b"", b"unable to connect to 127.0.0.1:1 Connection refused\n"])
def test_output_without_figures_is_told_as_it_is(said: bytes) -> None:
    with pytest.raises(LoadFailed, match=said.decode().strip() or "wrk said"):
        wrk.parse(said)


def test_a_call_is_a_line_of_path_and_headers(tmp_path: Path) -> None:
    file = tmp_path / "calls"

    wrk.write_calls(file, [Call("/a?b=c", {"X-API-Key": "k", "If-None-Match": 'W/"1"'}), Call("/d", {})])

    assert file.read_text() == '/a?b=c\tX-API-Key: k\tIf-None-Match: W/"1"\n/d\n'


def test_a_missing_wrk_ends_the_program_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(SystemExit, match="apt install wrk"):
        wrk.find()
