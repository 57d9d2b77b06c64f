"""docs/asyncapi.json is what the code says, hangs together, and its examples are messages that count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from django.core.management import CommandError, call_command

from gateway_project.settings import BASE_DIR
from realtime import asyncapi
from realtime.asyncapi import EXAMPLES, MESSAGES, REPLIES, REQUESTS, UNASKED, payload_of, tag_of
from realtime.protocol import limits, messages, requests
from realtime.protocol.codes import CLOSES, ERRORS
from realtime.routing import websocket_application

DOCUMENT: dict[str, Any] = json.loads(asyncapi.render(asyncapi.build()))
CHANNEL = DOCUMENT["channels"]["predictions"]
KINDS = {tag_of(kind): kind for kind in (*REQUESTS, *MESSAGES)}


def refs(part: Any) -> Iterator[str]:
    """Every `$ref` in `part`."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            else:
                yield from refs(value)
    elif isinstance(part, list):
        for value in part:
            yield from refs(value)


def resolve(ref: str) -> dict[str, Any]:
    """What `ref` leads to; KeyError where that is nothing."""
    found: Any = DOCUMENT
    for name in ref.removeprefix("#/").split("/"):
        found = found[name]
    return resolve(found["$ref"]) if set(found) == {"$ref"} else cast(dict[str, Any], found)


def test_the_file_is_what_the_code_says() -> None:
    told = (BASE_DIR / "docs/asyncapi.json").read_text()
    assert told == asyncapi.render(asyncapi.build()), "run `manage.py asyncapi > docs/asyncapi.json`"


def test_every_reference_leads_somewhere() -> None:
    found = set(refs(DOCUMENT))
    assert len(found) > 50
    for ref in found:
        assert resolve(ref), ref


def test_nothing_that_is_defined_is_without_use() -> None:
    used = {ref.rpartition("/")[2] for ref in refs(DOCUMENT)}
    for group, parts in DOCUMENT["components"].items():
        assert parts.keys() <= used, group


def test_every_message_of_the_protocol_has_its_schema_and_its_words() -> None:
    assert DOCUMENT["components"]["messages"].keys() == KINDS.keys()
    assert CHANNEL["messages"].keys() == KINDS.keys()
    assert len(KINDS) == len(REQUESTS) + len(MESSAGES)
    for tag, kind in KINDS.items():
        told = DOCUMENT["components"]["messages"][tag]
        assert told["name"] == tag
        assert told["title"] == kind.__name__
        assert told["summary"]
        assert ("correlationId" in told) == ("id" in kind.__struct_fields__)
        [named] = resolve(told["payload"]["$ref"])["properties"]["action" if kind in REQUESTS else "type"][
            "enum"
        ]
        assert named == tag


def test_a_docstring_of_several_paragraphs_is_summary_and_description() -> None:
    told = DOCUMENT["components"]["messages"]["gap"]
    assert told["summary"].startswith("Updates of `symbol`")
    assert told["description"].startswith("`epoch` is that of `to`")
    assert "description" not in DOCUMENT["components"]["messages"]["ping"]


def test_bounds_and_descriptions_of_fields_are_told() -> None:
    properties = resolve("#/components/schemas/Subscribe")["properties"]
    assert (properties["interval_ms"]["minimum"], properties["interval_ms"]["maximum"]) == (10, 60_000)
    assert properties["interval_ms"]["default"] == limits.DEFAULT_INTERVAL_MS
    assert properties["symbols"]["maxItems"] == 1_000
    assert properties["id"]["anyOf"][0] == {
        "description": "yours; comes back in the answer",
        "maxLength": 64,
        "type": "string",
    }


@pytest.mark.parametrize("tag", KINDS)
def test_every_message_has_examples_that_count(tag: str) -> None:
    told = [example["payload"] for example in DOCUMENT["components"]["messages"][tag]["examples"]]
    meant = [example for example in EXAMPLES if tag_of(type(example)) == tag]
    assert told
    for payload, example in zip(told, meant, strict=True):
        if type(example) in REQUESTS:
            assert requests.decode(json.dumps(payload)) == example
        else:
            assert msgspec.convert(payload, cast(Any, messages.Message)) == example
            assert payload == json.loads(messages.encode(cast(messages.Message, example)))


def test_every_field_of_a_message_is_in_an_example() -> None:
    for kind in MESSAGES:
        shown = {name for example in EXAMPLES if type(example) is kind for name in payload_of(example)}
        left_out = {field.encode_name for field in msgspec.structs.fields(kind)} - shown
        # Only an `auth` frame has its welcome repeat an id.
        assert left_out == ({"id"} if kind is messages.Welcome else set()), kind.__name__


def test_every_request_is_an_operation_with_its_replies() -> None:
    assert REPLIES.keys() == set(REQUESTS)
    for kind in REQUESTS:
        told = DOCUMENT["operations"][tag_of(kind)]
        assert told["action"] == "receive"
        assert [resolve(ref)["name"] for ref in refs(told["messages"])] == [tag_of(kind)]
        replies = [resolve(ref)["name"] for ref in refs(told["reply"]["messages"])]
        assert replies == [tag_of(reply) for reply in REPLIES[kind]]


def test_every_message_is_sent_by_an_operation() -> None:
    sent = {kind for kinds in REPLIES.values() for kind in kinds}
    for name, (summary, kinds) in UNASKED.items():
        told = DOCUMENT["operations"][name]
        assert (told["action"], told["summary"]) == ("send", summary)
        assert [resolve(ref)["name"] for ref in refs(told["messages"])] == [tag_of(kind) for kind in kinds]
        sent |= set(kinds)
    assert sent == set(MESSAGES)
    assert DOCUMENT["operations"].keys() == {tag_of(kind) for kind in REQUESTS} | UNASKED.keys()


def test_the_codes_are_those_of_the_tables() -> None:
    assert DOCUMENT["x-error-codes"] == {
        str(code): {"meaning": one.meaning, "closes": one.closes} for code, one in ERRORS.items()
    }
    assert DOCUMENT["x-close-codes"] == {
        str(int(close)): {"name": close.name, "meaning": one.meaning, "reconnect": one.reconnect}
        for close, one in CLOSES.items()
    }


def test_the_address_is_the_one_that_is_served() -> None:
    [route, _] = websocket_application.routes
    assert CHANNEL["address"] == f"/{route.pattern}"
    assert DOCUMENT["info"]["version"].startswith(f"{limits.VERSION}.")


TABLES = """# Codes
<!-- close codes -->
of long ago
<!-- end of close codes -->
and
<!-- error codes -->
<!-- end of error codes -->
"""


def test_tables_are_renewed_between_their_markers_and_nothing_else_is_touched() -> None:
    renewed = asyncapi.with_tables(TABLES)
    assert asyncapi.with_tables(renewed) == renewed
    assert "of long ago" not in renewed
    assert renewed.startswith(
        "# Codes\n<!-- close codes -->\n\n| Close code | Meaning | Come back |\n|---|---|---|\n"
    )
    assert "| `TOO_FAST` | More frames than 10 a second. | 4429 |\n" in renewed
    assert "| `UNKNOWN_JOB` | There is no such job of this account. | none |\n" in renewed
    assert renewed.count("\n| ") == len(CLOSES) + len(ERRORS) + 2


@pytest.mark.parametrize("missing", ["<!-- close codes -->", "<!-- end of error codes -->"])
def test_a_missing_marker_is_named(missing: str) -> None:
    with pytest.raises(ValueError, match=missing.strip("<!- >")):
        asyncapi.with_tables(TABLES.replace(missing, ""))


def test_the_command_prints_the_document_and_renews_the_tables_of_a_file(tmp_path: Path) -> None:
    printed = StringIO()
    call_command("asyncapi", stdout=printed)
    assert printed.getvalue() == asyncapi.render(asyncapi.build())
    path = tmp_path / "codes.md"
    path.write_text(TABLES)
    call_command("asyncapi", "--tables", str(path), stdout=(silent := StringIO()))
    assert path.read_text() == asyncapi.with_tables(TABLES)
    assert silent.getvalue() == ""
    for wrong in (tmp_path / "absent.md", tmp_path):
        with pytest.raises(CommandError):
            call_command("asyncapi", "--tables", str(wrong))
