"""What is advised for which limits, as a table; and that the limits of this system can be read."""

from __future__ import annotations

import resource

import pytest

from gateway_project import system_limits
from gateway_project.system_limits import SystemLimits, advise

FILES, QUEUE, MIGRATION = "files open", "net.core.somaxconn", "net.ipv4.tcp_migrate_req"
GOOD = SystemLimits(open_files=65_536, open_files_most=65_536, somaxconn=4096, migrates_connections=True)


@pytest.mark.parametrize(
    ("limits", "workers", "about"),
    [
        (GOOD, 4, []),
        (SystemLimits(), 4, []),
        (SystemLimits(open_files=32_768), 1, []),
        (SystemLimits(open_files=32_767), 1, [FILES]),
        (SystemLimits(open_files=1024), 4, [FILES]),
        (SystemLimits(somaxconn=2048), 1, []),
        (SystemLimits(somaxconn=2047), 1, [QUEUE]),
        (SystemLimits(somaxconn=128), 4, [QUEUE]),
        (SystemLimits(migrates_connections=False), 1, []),
        (SystemLimits(migrates_connections=False), 2, [MIGRATION]),
        (SystemLimits(migrates_connections=True), 2, []),
        (SystemLimits(1024, 1024, 128, False), 2, [FILES, QUEUE, MIGRATION]),
    ],
)
def test_each_limit_that_is_too_low_is_told(limits: SystemLimits, workers: int, about: list[str]) -> None:
    advice = advise(limits, backlog=2048, workers=workers)
    assert len(advice) == len(about)
    for text, subject in zip(advice, about, strict=True):
        assert subject in text


@pytest.mark.parametrize(
    ("soft", "hard", "remedy"),
    [
        (1024, 4096, "LimitNOFILE=65536"),
        (1024, 65_536, "`ulimit -n 32768`"),
        (1024, None, "`ulimit -n 32768`"),
    ],
)
def test_the_remedy_for_open_files_depends_on_who_may_apply_it(
    soft: int, hard: int | None, remedy: str
) -> None:
    (text,) = advise(SystemLimits(open_files=soft, open_files_most=hard), backlog=2048, workers=1)
    assert f"may have {soft} files open" in text
    assert remedy in text


def test_the_remedy_for_the_queue_is_a_line_to_run() -> None:
    (text,) = advise(SystemLimits(somaxconn=128), backlog=2048, workers=1)
    assert "`sysctl -w net.core.somaxconn=4096`" in text


def test_the_limits_of_this_system_can_be_read_and_the_open_files_raised() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lower = min(before[0], 1000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lower, before[1]))
    try:
        assert system_limits.read().open_files == lower
        system_limits.raise_open_files()
        raised = system_limits.read()
        assert raised.open_files == raised.open_files_most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_what_the_system_does_not_tell_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_limits, "_PROC", system_limits._PROC / "nowhere")
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda _: unlimited)
    assert system_limits.read() == SystemLimits()
