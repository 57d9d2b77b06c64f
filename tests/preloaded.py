"""The gateway's processes for tests, forked off one that has loaded their libraries: most of a start is that.

Nothing of Django's settings, of the gateway, or of what looks at the environment when it is loaded is loaded
before the fork; from there on a process is what ``python manage.py`` would be, with its own environment,
descriptors and end. `Program` is asked like `subprocess.Popen`. Other starts, as by `up` or the launcher, are
what they always are, and so are those whose environment speaks to the interpreter itself.
"""

from __future__ import annotations

import atexit
import contextlib
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
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

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
# What the interpreter, the linker and those libraries read when a process begins.
_OF_THE_INTERPRETER = ("PYTHON", "LD_", "MALLOC_", "LC_", "LANG", "PSYCOPG_IMPL", "OTEL_P")
_MOST_BYTES = 1 << 18
_RUNS_WITHIN_S = 60.0


class Program(subprocess.Popen[bytes]):
    """A forked process: a child of the one that forks, which tells its end through the pipe `told`."""

    def __init__(self, arguments: Sequence[str], pid: int, told: BinaryIO) -> None:
        self.args = [sys.executable, _MANAGE, *arguments]
        self.pid = pid
        self.returncode: int | None = None
        self.stdin = self.stdout = self.stderr = None
        self._told = told
        self._looking = threading.Lock()
        self._child_created = False  # Popen need not wait for it
        self._handle: int | None = None
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:
            self._read_end()  # it was quick

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once there is one. Raises `subprocess.TimeoutExpired`."""
        found = self._look(timeout)
        if found is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return found

    def communicate(self, *_: Any, **__: Any) -> Any:
        """There is no pipe."""
        raise NotImplementedError

    def _look(self, timeout: float | None) -> int | None:
        with self._looking:
            if self._handle is None:
                return self.returncode
            ended = select.poll()
            ended.register(self._handle, select.POLLIN)
            if ended.poll(None if timeout is None else 1000 * timeout):
                os.close(self._handle)
                self._handle = None
                self._read_end()
            return self.returncode

    def _read_end(self) -> None:
        with self._told:  # nothing comes where the one that forks has ended before
            self.returncode = int(self._told.readline() or -signal.SIGKILL)

    def __del__(self, *_: Any) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._told.close()


class Preloader:
    """Forks processes, from a process of its own that ends with this one."""

    def __init__(self) -> None:
        self._environ = _of_the_interpreter(os.environ)
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.preloaded", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=_ROOT,
            )

    def is_of_use(self, environ: Mapping[str, str]) -> bool:
        """False where it has ended, and where `environ` has other words for the interpreter."""
        return self._process.poll() is None and self._environ == _of_the_interpreter(environ)

    def start(
        self, arguments: Sequence[str], environ: Mapping[str, str], *, stdout: int, stderr: int
    ) -> Program:
        """``manage.py`` with `arguments`."""
        ours, theirs = os.pipe()
        told = os.fdopen(ours, "rb")
        try:
            try:
                asked = json.dumps([list(arguments), dict(environ)]).encode()
                socket.send_fds(self._line, [asked], [theirs, stdout, stderr])
            finally:
                os.close(theirs)
            return Program(arguments, int(told.readline()), told)
        except BaseException:
            told.close()
            raise

    def end(self) -> None:
        """It forks no more; what it has forked goes on."""
        self._line.close()
        self._process.wait(timeout=60)


def start(
    arguments: Sequence[str], environ: Mapping[str, str], *, stdout: int = 1, stderr: int = 2
) -> subprocess.Popen[bytes]:
    """``manage.py`` with `arguments`, begun as fast as may be."""
    preloader = _find_preloader()
    if preloader is not None and preloader.is_of_use(environ):
        return preloader.start(arguments, environ, stdout=stdout, stderr=stderr)
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


_making = threading.Lock()
_made: list[Preloader] = []


def _find_preloader() -> Preloader | None:
    """That of this process; none where there can be none, or where coverage begins with the interpreter."""
    if sys.platform != "linux" or any(name.startswith("COVERAGE_") for name in os.environ):
        return None
    with _making:
        if not _made:
            _made.append(Preloader())
            atexit.register(_made[0].end)
        return _made[0]


def _of_the_interpreter(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(_OF_THE_INTERPRETER)}


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
                _tell(descriptors[0], pid)


def _tell_end(selector: selectors.BaseSelector, running: dict[int, tuple[int, int]], handle: int) -> None:
    pid, status = running.pop(handle)
    selector.unregister(handle)
    os.close(handle)
    _, code = os.waitpid(pid, 0)
    _tell(status, os.waitstatus_to_exitcode(code))
    os.close(status)


def _tell(told: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(told, b"%d\n" % number)


def _begin(environ: dict[str, str], stdout: int, stderr: int) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.closerange(3, 1 + max(int(one.name) for one in Path("/proc/self/fd").iterdir()))
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()


def main() -> None:
    """The process that forks. Ctrl-C is for those who are forked, and for the one that ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
