"""The kinds of values that settings have, and how each is told to people. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

import msgspec
from msgspec import inspect

PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
WorkerThreads = Annotated[int, msgspec.Meta(ge=1, le=100)]
# A description says what texts of the kind are; bounds and patterns are told from the type.
Url = Annotated[str, msgspec.Meta(description="a URL")]
Urls = Annotated[str, msgspec.Meta(description="URLs, separated by commas")]
Secret = Annotated[str, msgspec.Meta(description="a secret text")]
Secrets = Annotated[list[str], msgspec.Meta(description="a list of secret texts")]
PublicKey = Annotated[str, msgspec.Meta(description="an API key that everybody may see")]
FilePath = Annotated[str, msgspec.Meta(description="the path of a file")]
Networks = Annotated[list[str], msgspec.Meta(description="a list of networks")]
RegularExpression = Annotated[str, msgspec.Meta(description="a regular expression")]
DottedPath = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)+$", description="a dotted path such as `package.module.Class`"
    ),
]

_UNITS = {"s": "seconds", "ms": "milliseconds", "mb": "MiB", "days": "days"}


def bare(kind: Any) -> inspect.Type:
    """What msgspec knows of `kind`, without what describes it."""
    found = inspect.type_info(kind)
    return found.type if isinstance(found, inspect.Metadata) else found


def is_secret(kind: Any) -> bool:
    """True for values that nothing may repeat: secrets, and what may hold one, if by mistake."""
    return kind in (PublicKey, Secret, Secrets, Url, Urls)


def told(name: str, kind: Any) -> str:
    """What values of the setting `name` are, as ``must be …`` and tables go on."""
    found = inspect.type_info(kind)
    told = "text"
    match found:
        case inspect.Metadata():
            told = str((found.extra_json_schema or {})["description"])
        case inspect.BoolType():
            told = "true or false"
        case inspect.IntType():
            told = f"a whole number{_unit(name)}{_bounds(found)}"
        case inspect.FloatType():
            told = f"a number{_unit(name)}{_bounds(found)}"
        case inspect.LiteralType():
            told = f"one of {', '.join(get_args(kind))}"
        case inspect.ListType():
            told = "a list of texts"
        case inspect.CustomType(cls=cls) if cls is Path:
            told = "the path of a folder"
    return told


def _unit(name: str) -> str:
    """Names end with their unit."""
    word = _UNITS.get(name.rpartition("_")[2])
    return f" of {word}" if word else ""


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.gt is not None:
        return f" above {kind.gt:g}"
    if kind.ge is not None and kind.le is not None:
        return f", {kind.ge} to {kind.le}"
    return "" if kind.ge is None else f", {kind.ge} or more"
