"""``python -m explanations.sandbox DOTTED.PATH PARENT_PID MEMORY_MB``: the process that an explainer has.

It takes orders from standard input and answers on what was standard output, in the frames of
`explanations.frames`. The explainer is not trusted to behave: whatever it does, the worst that comes of
it is the end of this process. The time limit and the final judgement are the parent's
(`explanations.children`).
"""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import faulthandler
import functools
import os
import resource
import signal
import sys
import threading
import time
import traceback
from queue import SimpleQueue
from typing import Any

import msgspec

from events import explanations
from events.explanations import MAX_EXPLANATION_BYTES, ExplainOrder
from explanations import explainer, frames
from explanations.frames import Kind

REPORT_EVERY_S = 0.2
_THREADS_END_WITHIN_S = 0.05
_PR_SET_PDEATHSIG = 1


class Link:
    """The way to the parent. Any thread may send."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, kind: Kind, turn: int, body: bytes = b"") -> None:
        """Write one frame."""
        rest = memoryview(frames.encode(kind, turn, body))
        with self._lock:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]


class Reporter:
    """Passes reports on: the first at once, then the latest every `REPORT_EVERY_S`, none after the end."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._turn = 0
        self._latest = b""
        self._sent_at = 0.0
        threading.Thread(target=self._send_late_ones, name="reports", daemon=True).start()

    def begin(self, turn: int) -> explainer.Report:
        """The `report` for the order of `turn`."""
        with self._lock:
            self._turn, self._latest, self._sent_at = turn, b"", 0.0
        return functools.partial(self._report, turn)

    def end(self) -> None:
        """Take no more reports; returns when none is on its way."""
        with self._lock:
            self._turn, self._latest = 0, b""

    def _report(self, turn: int, progress: float, stage: str) -> None:
        body = frames.make_report(float(progress), str(stage))
        with self._lock:
            if turn != self._turn:
                return
            self._latest = body
            if time.monotonic() - self._sent_at >= REPORT_EVERY_S:
                self._send()
            else:
                self._wake.set()

    def _send(self) -> None:
        self._link.send(Kind.PROGRESS, self._turn, self._latest)
        self._latest = b""
        self._sent_at = time.monotonic()

    def _send_late_ones(self) -> None:
        while self._wake.wait():
            early_s = self._sent_at + REPORT_EVERY_S - time.monotonic()
            if early_s > 0:
                time.sleep(early_s)
                continue
            with self._lock:
                self._wake.clear()
                if self._latest:
                    self._send()


def main(dotted_path: str, parent: int, memory_mb: int) -> None:
    """Explain until the parent goes, or until this process is spoilt."""
    incoming, link = _take_pipes()
    _end_with(parent)
    _limit(memory_mb)
    faulthandler.enable()
    try:
        loaded: Any = explainer.load(dotted_path)
        if hasattr(loaded, "prepare"):
            loaded.prepare()
    except BaseException as error:  # code of others, which may also call sys.exit
        link.send(Kind.FAILURE, 0, _describe(error))
        return
    orders: SimpleQueue[tuple[int, bytes]] = SimpleQueue()
    threading.Thread(target=_read_orders, args=(incoming, orders), name="orders", daemon=True).start()
    reporter = Reporter(link)
    threads, pid = _thread._count(), os.getpid()
    link.send(Kind.READY, 0)
    while True:
        turn, body = orders.get()
        kind, answer = _explain(loaded, body, reporter.begin(turn))
        reporter.end()
        if os.getpid() != pid:  # the explainer has forked, and this is the copy
            return
        link.send(kind, turn, answer)
        if kind is Kind.FAILURE or _has_left_threads(threads):
            return
        link.send(Kind.READY, turn)


def _explain(loaded: explainer.Explainer, body: bytes, report: explainer.Report) -> tuple[Kind, bytes]:
    try:
        explanation = loaded.explain(explanations.decode(body, ExplainOrder), report)
        answer = msgspec.json.encode(explanation)
    except BaseException as error:  # code of others, which may also call sys.exit
        return Kind.FAILURE, _describe(error)
    if len(answer) > MAX_EXPLANATION_BYTES:
        reason = f"the explanation has {len(answer)} bytes; at most {MAX_EXPLANATION_BYTES} are allowed"
        return Kind.FAILURE, frames.make_failure(reason)
    return Kind.EXPLANATION, answer


def _describe(error: BaseException) -> bytes:
    reason = f"the explainer failed: {type(error).__name__}"
    if isinstance(error, explainer.NoExplainer):
        reason = str(error)
    with contextlib.suppress(Exception):  # also what it says of itself is code of others
        told = getattr(error, "public_reason", None)
        if isinstance(told, str):
            reason = told
    try:
        trace = "".join(traceback.format_exception(error, limit=-20))
    except Exception:  # a __str__ or __repr__ that raises
        trace = ""
    return frames.make_failure(reason, trace)


def _has_left_threads(before: int) -> bool:
    """True when the explainer has started threads that do not come to an end."""
    deadline = time.monotonic() + _THREADS_END_WITHIN_S
    while _thread._count() > before:
        if time.monotonic() > deadline:
            return True
        time.sleep(0.001)
    return False


def _take_pipes() -> tuple[int, Link]:
    """Our own ends of the pipes; the explainer finds an empty standard input, and its output in the log."""
    incoming, outgoing = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    return incoming, Link(outgoing)


def _read_orders(descriptor: int, orders: SimpleQueue[tuple[int, bytes]]) -> None:
    """Queue what comes in. At its end the parent is gone, and so are we, whatever the explainer does."""
    with os.fdopen(descriptor, "rb") as stream:
        while len(head := stream.read(frames.HEAD_BYTES)) == frames.HEAD_BYTES:
            size, _, turn = frames.decode_head(head)
            orders.put((turn, stream.read(size)))
    os._exit(0)


def _end_with(parent: int) -> None:
    """Let the kernel end this process with its parent, where it can; leave now if that is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _limit(memory_mb: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):  # macOS refuses it; a lower one may be in force
        resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))


if __name__ == "__main__":
    status = 1
    try:
        main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        # Threads of the explainer would keep the interpreter from ending.
        with contextlib.suppress(BaseException):
            sys.stderr.flush()
        os._exit(status)
