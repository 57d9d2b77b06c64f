"""What the system lets a gateway have, and advice where that is less than it may need.

`advise` decides on values alone; `read` fetches them from the running system.
"""

from __future__ import annotations

import contextlib
import resource
from dataclasses import dataclass
from pathlib import Path

OPEN_FILES_WANTED = 32_768
_PROC = Path("/proc/sys/net")


@dataclass(frozen=True, slots=True)
class SystemLimits:
    """None stands for what this system does not tell, or does not limit."""

    open_files: int | None = None
    """Files and connections that a process may have open (``ulimit -n``)."""
    open_files_most: int | None = None
    """What a process may raise that to by itself (``ulimit -Hn``)."""
    somaxconn: int | None = None
    """Connections that may wait at a listening socket (``net.core.somaxconn``)."""
    migrates_connections: bool | None = None
    """Whether others get what waits at a socket that is closed (``net.ipv4.tcp_migrate_req``)."""


def advise(limits: SystemLimits, *, backlog: int, workers: int) -> list[str]:
    """A sentence with its remedy for each limit that is too low for `workers` processes with `backlog`."""
    advice = []
    if limits.open_files is not None and limits.open_files < OPEN_FILES_WANTED:
        advice.append(
            f"a process may have {limits.open_files} files open, and every connection is one; "
            f"{OPEN_FILES_WANTED} or more are wanted. {_how_to_raise(limits)}"
        )
    if limits.somaxconn is not None and limits.somaxconn < backlog:
        advice.append(
            f"the kernel lets {limits.somaxconn} connections wait where {backlog} are wanted; in a burst the "
            f"others have to try again. Run `sysctl -w net.core.somaxconn={2 * backlog}`, and write the "
            "setting to a file in /etc/sysctl.d to keep it."
        )
    if limits.migrates_connections is False and workers > 1:
        advice.append(
            "when a worker dies, the connections that it has not accepted yet die with it. Run "
            "`sysctl -w net.ipv4.tcp_migrate_req=1` to give them to the other workers, and write the setting "
            "to a file in /etc/sysctl.d to keep it."
        )
    return advice


def _how_to_raise(limits: SystemLimits) -> str:
    if limits.open_files_most is None or limits.open_files_most >= OPEN_FILES_WANTED:
        return f"Run `ulimit -n {OPEN_FILES_WANTED}` before the start."
    return (
        "Raise the hard limit: LimitNOFILE=65536 in a systemd unit, `--ulimit nofile=65536:65536` for "
        "docker, `nofile` in /etc/security/limits.conf for a login."
    )


def raise_open_files() -> None:
    """Take as many open files as this process may have without asking anybody; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS says that there is no limit, and then refuses.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def read() -> SystemLimits:
    """The limits of this process and this system."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    migrates = _read_number("ipv4/tcp_migrate_req")
    return SystemLimits(
        open_files=_known(soft),
        open_files_most=_known(hard),
        somaxconn=_read_number("core/somaxconn"),
        migrates_connections=None if migrates is None else bool(migrates),
    )


def _known(limit: int) -> int | None:
    return None if limit == resource.RLIM_INFINITY else limit


def _read_number(name: str) -> int | None:
    try:
        return int((_PROC / name).read_text())
    except (OSError, ValueError):
        return None
