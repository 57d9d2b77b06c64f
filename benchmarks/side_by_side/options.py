"""The size of measurements as options of a command line: a dataclass with a default and a text for each."""

from __future__ import annotations

import argparse
from dataclasses import MISSING, Field, field, fields
from typing import Any, TypeVar

T = TypeVar("T")


def number(default: float, meaning: str) -> Any:
    """A field of such a dataclass."""
    return field(default=default, metadata={"help": meaning})


def add_to(parser: argparse.ArgumentParser, kind: type[Any]) -> None:
    """An option for each field of `kind`."""
    for one in fields(kind):
        value = type(_default(one))
        name = "--" + one.name.replace("_", "-")
        parser.add_argument(
            name, type=value, default=_default(one), help=one.metadata["help"] + " (%(default)s)"
        )


def read(parsed: argparse.Namespace, kind: type[T]) -> T:
    """The `kind` among what was parsed."""
    values: Any = kind
    return kind(**{one.name: getattr(parsed, one.name) for one in fields(values)})


def _default(one: Field[Any]) -> Any:
    if one.default is MISSING:
        raise ValueError(f"{one.name} has no default")
    return one.default
