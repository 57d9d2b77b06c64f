"""The gateway's processes for tests, forked off one that has loaded their libraries: most of a start is that.

Nothing of Django's settings, of the gateway, or of what looks at the environment when it is loaded is loaded
before the fork; from there on a process is what ``python manage.py`` would be, with its own environment,
descriptors and end. `Program` is asked like `subprocess.Popen`. Other starts, as by `up` or the launcher, are
what they always are, and so are those whose environment speaks to the interpreter itself.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_MANAGE = str(_ROOT / "manage.py")
_LIBRARIES = (
    "concurrent.futures.thread",
    "django.contrib.postgres.fields",
    "django.core.cache.backends.redis",
    "django.core.management",
    "django.core.servers.basehttp",
    "django.db.backends.postgresql.base",
    "django.db.migrations.executor",
    "django.forms.models",
    "django.template.defaulttags",
    "django.test.signals",
    "django.views.generic",
    "httptools",
    "jwt.algorithms",
    "msgspec",
    "nats.js.api",
    "opentelemetry.sdk.metrics",
    "opentelemetry.sdk.trace",
    "psycopg_binary.pq",
    "psycopg_pool",
    "pygments.lexers",
    "redis.asyncio",
    "requests",
    "sqlparse",
    "uvicorn.main",
    "uvloop",
    "websockets.legacy.server",
    "whitenoise.base",
    "yaml",
)
# What the interpreter, the linker or the measuring of coverage read when a process begins.
_OF_THE_INTERPRETER = ("PYTHON", "LD_", "COVERAGE_", "MALLOC_")
_MOST_BYTES = 1 << 18
_RUNS_WITHIN_S = 60.0


class Program(subprocess.Popen[bytes]):
    """A forked process, which is a child of the one that forks."""

    def __init__(self, arguments: Sequence[str], pid: int, status: int) -> None:
        self.args = [sys.executable, _MANAGE, *arguments]
        self.pid = pid
        self.returncode: int | None = None
        self.stdin = self.stdout = self.stderr = None
        self._status = status
        self._child_created = False  # Popen need not wait for it

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once there is one. Raises `subprocess.TimeoutExpired`."""
        found = self._look(timeout)
        if found is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return found

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is not None:
            return self.returncode
        heard = select.poll()
        heard.register(self._status, select.POLLIN)
        if heard.poll(None if timeout is None else 1000 * timeout):
            told = os.read(self._status, 16)
            os.close(self._status)
            self.returncode = int(told) if told else -signal.SIGKILL
        return self.returncode


class Preloader:
    """Forks processes, from a process of its own that ends with this one."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.preloaded", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=_ROOT,
                env={name: value for name, value in os.environ.items() if not _speaks_to_python(name)},
            )

    def start(
        self, arguments: Sequence[str], environ: Mapping[str, str], *, stdout: int, stderr: int
    ) -> Program:
        """``manage.py`` with `arguments`."""
        status, theirs = os.pipe()
        try:
            asked = json.dumps([list(arguments), dict(environ)]).encode()
            socket.send_fds(self._line, [asked], [theirs, stdout, stderr])
        finally:
            os.close(theirs)
        return Program(arguments, int(self._line.recv(16)), status)

    def end(self) -> None:
        """It forks no more; what it has forked goes on."""
        self._line.close()
        self._process.wait(timeout=60)


def start(
    arguments: Sequence[str], environ: Mapping[str, str], *, stdout: int = 1, stderr: int = 2
) -> subprocess.Popen[bytes]:
    """``manage.py`` with `arguments`, begun as fast as may be."""
    if _may_fork(environ):
        return _preloader().start(arguments, environ, stdout=stdout, stderr=stderr)
    return subprocess.Popen([sys.executable, _MANAGE, *arguments], env=environ, stdout=stdout, stderr=stderr)


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str, str]:
    """``manage.py`` with `arguments` to its end: status, output, errors."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = start(arguments, environ, stdout=output.fileno(), stderr=errors.fileno())
        try:
            status = process.wait(timeout=_RUNS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        output.seek(0)
        errors.seek(0)
        return status, output.read().decode(), errors.read().decode()


@functools.cache
def _preloader() -> Preloader:
    made = Preloader()
    atexit.register(made.end)
    return made


def _may_fork(environ: Mapping[str, str]) -> bool:
    here = {name: value for name, value in os.environ.items() if _speaks_to_python(name)}
    there = {name: value for name, value in environ.items() if _speaks_to_python(name)}
    return sys.platform == "linux" and here == there and not any(n.startswith("COVERAGE_") for n in here)


def _speaks_to_python(name: str) -> bool:
    return name.startswith(_OF_THE_INTERPRETER)


def _fork_on(line: socket.socket) -> list[str]:
    """Fork a process for each request; returns in those processes alone, with the arguments."""
    running: dict[int, tuple[int, int]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(line, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not line:
                    _tell_end(selector, running, key.fd)
                    continue
                asked, descriptors, _, _ = socket.recv_fds(line, _MOST_BYTES, 3)
                if not asked:
                    sys.exit()
                pid = os.fork()
                if not pid:
                    selector.close()
                    line.detach()
                    arguments, environ = json.loads(asked)
                    _begin(environ, *descriptors[1:])
                    return list(arguments)
                handle = os.pidfd_open(pid)
                running[handle] = pid, descriptors[0]
                selector.register(handle, selectors.EVENT_READ)
                for descriptor in descriptors[1:]:
                    os.close(descriptor)
                line.send(str(pid).encode())


def _tell_end(selector: selectors.BaseSelector, running: dict[int, tuple[int, int]], handle: int) -> None:
    pid, status = running.pop(handle)
    selector.unregister(handle)
    os.close(handle)
    _, code = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):
        os.write(status, str(os.waitstatus_to_exitcode(code)).encode())
    os.close(status)


def _begin(environ: dict[str, str], stdout: int, stderr: int) -> None:
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.closerange(3, 1 + max(int(one.name) for one in Path("/proc/self/fd").iterdir()))
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()


def main() -> None:
    """The process that forks."""
    line = socket.socket(fileno=int(sys.argv[1]))
    gc.disable()
    for library in _LIBRARIES:
        importlib.import_module(library)
    gc.freeze()
    arguments = _fork_on(line)
    gc.enable()
    sys.argv = [_MANAGE, *arguments]
    sys.path[0] = str(_ROOT)
    runpy.run_path(_MANAGE, run_name="__main__")


if __name__ == "__main__":
    main()
