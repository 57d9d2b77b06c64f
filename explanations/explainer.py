"""What an explainer is: the interface that another team implements to explain predictions in its own way.

It runs in a process of its own that the worker starts, feeds and, where need be, kills. How that is done
is left to `explanations.sandbox` (inside) and `explanations.children` (outside).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Protocol, cast

from events.explanations import ExplainOrder, Explanation

Report = Callable[[float, str], None]
"""``report(progress, stage)``: the share done, 0 to 1, and what is being done, in up to 500 characters."""


class Explainer(Protocol):
    """A class without arguments in its constructor; the setting `EXPLAINER` names it by its dotted path.

    It may also have a method ``prepare() -> None``. That is called once, before the first order, and has
    60 s: load models and data there, so that a "fast" order takes milliseconds.

    *Process.* Each slot of a worker has a process with one explainer, which explains one order after the
    other in the main thread. Django is not set up; an explainer that wants settings or a database calls
    ``django.setup()`` itself. Standard output goes to the log, 100 lines an order; standard input is
    empty. The process is a guard against faults, not against theft: it runs as the worker's user, with
    its environment.

    *Threads.* Start those that stay in the constructor or in `prepare`. A thread that is alive 50 ms
    after an order was explained costs the process its life, and the next order waits for a new one.

    *Limits.* An order may take `EXPLAIN_TIMEOUT_S` seconds; the process may use `EXPLAINER_MEMORY_MB` of
    address space; an explanation is at most 256 KiB as JSON. Who breaks one is killed, with the processes
    it has started.

    *Failures.* Raise anything; the order is tried again after a while, `EXPLAIN_TRIES` times at most. The
    caller is told the type of the exception, or its attribute ``public_reason`` (a str) where it has one.
    """

    def explain(self, order: ExplainOrder, report: Report, /) -> Explanation:
        """Explain `order.prediction` to the depth that was ordered.

        The contributions sum to ``ln(predicted_price / current_price)`` (to 1e-6 of it, in natural log
        return), and every statement cites sources that the explanation lists. The same order may come
        twice; the answers should be the same. Call `report`, from any thread, as often as you like: five
        a second are passed on, the first and the latest among them.
        """


class NoExplainer(Exception):
    """The dotted path names no explainer; the text says what is missing."""


def load(dotted_path: str) -> Explainer:
    """Make the explainer that `dotted_path` names; raises `NoExplainer`, and whatever its own code raises."""
    module_name, _, class_name = dotted_path.rpartition(".")
    if not module_name:
        raise NoExplainer(f"{dotted_path} is no dotted path of a class")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise NoExplainer(f"there is no module {error.name}") from None
    made = getattr(module, class_name, None)
    if not callable(made):
        raise NoExplainer(f"the module {module_name} has no class {class_name}")
    explainer = made()
    if not callable(getattr(explainer, "explain", None)):
        raise NoExplainer(f"{dotted_path} has no method explain")
    return cast("Explainer", explainer)
