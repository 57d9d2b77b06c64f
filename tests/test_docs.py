"""The documents say what the code does: settings, error codes, close codes, streams."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from events import streams
from gateway_project.config import Config
from gateway_project.settings import BASE_DIR
from realtime import consumers, protocol


def read(name: str) -> str:
    """A file of the project as text."""
    return (BASE_DIR / name).read_text()


def test_every_setting_is_in_the_table_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", read("docs/SETTINGS.md"), re.MULTILINE))
    fields = {field.name.upper(): field for field in msgspec.structs.fields(Config)}
    assert rows.keys() == fields.keys()
    for name, field in fields.items():
        if isinstance(field.default, bool):
            assert rows[name] == f"`{str(field.default).lower()}`"
        elif isinstance(field.default, int | float):
            assert rows[name] == f"`{field.default:g}`" or rows[name] == f"`{field.default}`"


def test_the_example_configuration_is_valid(tmp_path: Path) -> None:
    from gateway_project import config

    environ = {"GATEWAY_CONFIG": str(BASE_DIR / "gateway.example.yaml"), "SECRET_KEY": "x"}
    loaded = config.load(tmp_path, environ)
    assert loaded.anonymous_access is False
    names = re.findall(r"^([A-Z_]+)=", read(".env.example"), re.MULTILINE)
    assert {name.lower() for name in names} <= set(Config.__struct_fields__)


def test_every_close_code_and_error_code_of_the_socket_is_documented() -> None:
    document = read("docs/WEBSOCKET.md")
    for close in protocol.Close:
        assert str(int(close)) in document
    for module in (consumers, protocol):
        source = Path(str(module.__file__)).read_text()
        for code in set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', source)):
            assert code in document, f"{code} is missing in docs/WEBSOCKET.md"


@pytest.mark.parametrize(
    "stream", [streams.PREDICTIONS, streams.JOBS, streams.EXPLANATIONS, streams.DEAD_LETTERS]
)
def test_every_stream_is_documented(stream: streams.Stream) -> None:
    document = read("docs/EVENTS.md")
    assert f"| `{stream.name}` | {', '.join(f'`{s}`' for s in stream.subjects)} |" in document


def test_links_between_documents_lead_somewhere() -> None:
    for document in [*BASE_DIR.glob("*.md"), *BASE_DIR.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
