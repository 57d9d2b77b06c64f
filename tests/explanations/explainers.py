"""Explainers that behave as the prediction's model version says: well, or as badly as one can."""

from __future__ import annotations

import _thread
import ctypes
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from events.explanations import Contribution, ExplainOrder, Explanation, Source, Statement
from explanations.explainer import Report


def explanation(order: ExplainOrder, **changes: Any) -> Explanation:
    """An explanation that fits `order`, with `changes`."""
    prediction = order.prediction
    fitting = Explanation(
        depth=order.depth,
        summary=f"It goes to {prediction.predicted_price}.",
        contributions=[
            Contribution(
                name="momentum",
                value=math.log(prediction.predicted_price / prediction.current_price),
                text="It has gone up.",
            )
        ],
        sources=[Source(id="bars", kind="data", title="Daily bars", detail="2000 to 2013")],
        statements=[Statement(text="It has gone up.", sources=["bars"])],
    )
    return msgspec.structs.replace(fitting, **changes)


class Good:
    """Explains at once."""

    def explain(self, order: ExplainOrder, report: Report) -> Explanation:
        report(0.5, "thinking")
        return explanation(order)


class Raising(Exception):
    """Tells the caller something."""

    public_reason = "there is no history\nof this symbol in /srv/data/bars.csv"


def good(order: ExplainOrder, report: Report) -> Any:
    return Good().explain(order, report)


def raising(order: ExplainOrder, report: Report) -> Any:
    raise KeyError("/etc/secret/path")


def telling(order: ExplainOrder, report: Report) -> Any:
    raise Raising("not this")


def unspeakable(order: ExplainOrder, report: Report) -> Any:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError("no")

        @property
        def public_reason(self) -> str:
            raise RuntimeError("never")

    raise Mute


def failing_once(order: ExplainOrder, report: Report) -> Any:
    mark = _file_of(order)
    if not mark.exists():
        mark.touch()
        raise RuntimeError("the first time")
    return explanation(order)


def hanging(order: ExplainOrder, report: Report) -> Any:
    report(0.1, f"pid {os.getpid()}")
    signal.pause()


def spinning(order: ExplainOrder, report: Report) -> Any:
    while True:
        report(0.5, "again")


def exiting(order: ExplainOrder, report: Report) -> Any:
    os._exit(3)


def leaving(order: ExplainOrder, report: Report) -> Any:
    sys.exit("bye")


def segfaulting(order: ExplainOrder, report: Report) -> Any:
    ctypes.string_at(0)


def wrong_type(order: ExplainOrder, report: Report) -> Any:
    return {"summary": 7}


def nothing(order: ExplainOrder, report: Report) -> Any:
    return None


def no_json(order: ExplainOrder, report: Report) -> Any:
    return object()


def wrong_depth(order: ExplainOrder, report: Report) -> Any:
    return explanation(order, depth="deep" if order.depth == "fast" else "fast")


def sum_off(order: ExplainOrder, report: Report) -> Any:
    return explanation(order, contributions=[Contribution(name="all", value=1.0, text="Too much.")])


def not_a_number(order: ExplainOrder, report: Report) -> Any:
    return explanation(order, contributions=[Contribution(name="all", value=math.nan, text="What?")])


def unknown_source(order: ExplainOrder, report: Report) -> Any:
    return explanation(order, statements=[Statement(text="They say so.", sources=["rumour"])])


def huge(order: ExplainOrder, report: Report) -> Any:
    return explanation(order, summary="x" * (50 << 20))


def printing(order: ExplainOrder, report: Report) -> Any:
    print("\x00\x00\x00\x05garbage", flush=True)  # noqa: T201 - what it is there for
    os.write(1, b"more garbage\n" * 100_000)
    assert sys.stdin.read() == ""
    return explanation(order)


def babbling(order: ExplainOrder, report: Report) -> Any:
    for n in range(100_000):
        report(n / 100_000, f"step {n}")
    report(2.0, "almost\ndone\x00")
    report(math.nan, "")
    return explanation(order)


def hoarding(order: ExplainOrder, report: Report) -> Any:
    hoard = []
    while True:
        hoard.append(bytearray(16 << 20))


def threading_on(order: ExplainOrder, report: Report) -> Any:
    def go_on() -> None:
        while True:
            time.sleep(0.001)
            report(0.9, "from the grave")

    threading.Thread(target=go_on).start()
    _thread.start_new_thread(go_on, ())
    return explanation(order)


def forking(order: ExplainOrder, report: Report) -> Any:
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pause()
    return explanation(order)


def forking_told(order: ExplainOrder, report: Report) -> Any:
    pid = os.fork()
    if pid == 0:
        signal.pause()
    return explanation(order, summary=f"pid {pid}")


def copying(order: ExplainOrder, report: Report) -> Any:
    os.fork()
    return explanation(order)


def closing(order: ExplainOrder, report: Report) -> Any:
    os.closerange(0, 100)
    signal.pause()


def forging(order: ExplainOrder, report: Report) -> Any:
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, b"\xff" * 1000)
        except OSError:
            continue
    signal.pause()


def flooding(order: ExplainOrder, report: Report) -> Any:
    """Speaks to the worker past the `report` that slows it down."""
    partial: Any = report
    while True:
        partial.func.__self__._link.send(3, *partial.args, b'{"progress":0.5,"stage":"x"}')


def gushing(order: ExplainOrder, report: Report) -> Any:
    """Answers, and then goes on and on, so that the worker stops reading."""
    partial: Any = report
    link = partial.func.__self__._link
    link.send(4, *partial.args, msgspec.json.encode(explanation(order)))
    while True:
        os.write(link._descriptor, b"\xff" * (1 << 20))


def escaping(order: ExplainOrder, report: Report) -> Any:
    """Leaves a process in a session of its own, which holds all pipes open, and dies."""
    report(0.5, "about to leave")
    if os.fork() == 0:
        os.setsid()
        time.sleep(5)
        os._exit(0)
    os._exit(4)


def gated(order: ExplainOrder, report: Report) -> Any:
    """Tells its process, then waits until there is the file that the features name."""
    report(0.25, f"pid {os.getpid()}")
    gate = _file_of(order)
    while not gate.exists():
        time.sleep(0.01)
    return explanation(order)


def two_steps(order: ExplainOrder, report: Report) -> Any:
    """Reports twice at once, then waits until there is the file that the features name."""
    report(0.1, "one")
    report(0.2, "two")
    while not _file_of(order).exists():
        time.sleep(0.01)
    return explanation(order)


def pausing(order: ExplainOrder, report: Report) -> Any:
    time.sleep(0.25)
    return explanation(order)


def telling_turn(order: ExplainOrder, report: Report) -> Any:
    return explanation(order, summary=f"pid {os.getpid()}")


def _file_of(order: ExplainOrder) -> Path:
    return Path(str((order.prediction.features or {})["file"]))


BEHAVIOURS: dict[str, Callable[[ExplainOrder, Report], Any]] = {
    name: made for name, made in list(globals().items()) if callable(made) and name.islower()
}


class Versatile:
    """Behaves as the model version says."""

    def __init__(self) -> None:
        self.prepared = False

    def prepare(self) -> None:
        self.prepared = True

    def explain(self, order: ExplainOrder, report: Report) -> Explanation:
        assert self.prepared
        result: Explanation = BEHAVIOURS[order.prediction.model_version](order, report)
        return result


class Unpreparable(Good):
    """Fails before the first order."""

    def prepare(self) -> None:
        raise FileNotFoundError("/srv/models/m.bin")


class Unmade(Good):
    """Leaves before it is made."""

    def __init__(self) -> None:
        os._exit(9)


class NotOne:
    """Explains nothing."""
