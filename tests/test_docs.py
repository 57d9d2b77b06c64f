"""The documents say what the code does: settings, error codes, close codes, streams."""

from __future__ import annotations

import json
import re
from typing import Any, cast, get_args

import msgspec
import pytest

from accounts.models import Tier
from accounts.models.tiers import DEFAULT_FRAMES_PER_S
from accounts.tickets import LIFETIME_S
from events import streams
from gateway_project import server
from gateway_project.config import Config
from gateway_project.settings import BASE_DIR
from predictions import horizons
from predictions.accuracy import Measures
from realtime import asyncapi, leases
from realtime.protocol import limits, messages, requests
from realtime.protocol.codes import CLOSES, Close, Code, Rejected, Warned


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


SOCKET = read("docs/WEBSOCKET.md")


def rows(heading: str, *, after: str = "") -> list[list[str]]:
    """The cells of the first table of docs/WEBSOCKET.md after `after` whose first cell is `heading`."""
    assert after in SOCKET, f"docs/WEBSOCKET.md has no {after!r}"
    rest = SOCKET[SOCKET.index(after) :]
    table = rest.partition(f"\n| {heading} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


def test_the_tables_of_codes_are_those_of_the_code() -> None:
    told = "run `manage.py asyncapi --tables docs/WEBSOCKET.md`"
    assert asyncapi.with_tables(SOCKET) == SOCKET, told


def test_every_word_in_capitals_is_a_code_or_a_setting() -> None:
    words = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", SOCKET))
    settings = {name.upper() for name in Config.__struct_fields__}
    codes = {*Code, *Warned, *Rejected}
    assert all(f"`{code}`" in SOCKET for code in codes)
    assert words - settings - codes == {"AFTER_S"}  # of the client
    numbers = {int(number) for number in re.findall(r"(?<![\d:.-])(?:10\d\d|4\d\d\d)\b(?![-:.]\d)", SOCKET)}
    assert numbers - {1006, 1007, 1009, 1011} == set(Close)


@pytest.mark.parametrize("kind", asyncapi.REQUESTS, ids=asyncapi.tag_of)
def test_every_field_of_a_request_is_in_its_table_with_its_default_and_its_bounds(
    kind: type[msgspec.Struct],
) -> None:
    told = {
        cells[0].strip("`"): cells[1:] for cells in rows("Field", after=f"\n### `{asyncapi.tag_of(kind)}`\n")
    }
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    if "since" in fields:
        fields |= {f"since.{field.name}": field for field in msgspec.structs.fields(requests.Since)}
    assert told.keys() == fields.keys()
    for name, field in fields.items():
        value, default, _ = told[name]
        assert default == shown_default(field), name
        for bound in bounds_of(field.type):
            assert bound in value, name


def shown_default(field: msgspec.structs.FieldInfo) -> str:
    """The default of a field as the tables have it."""
    if field.required:
        return "required"
    default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    return "none" if default is None else "`" + json.dumps(default).strip('"').removesuffix(".0") + "`"


def bounds_of(kind: Any) -> list[str]:
    """What a table must say of values of this type."""
    schema = msgspec.json.schema(kind)
    schema = schema.get("anyOf", [schema])[0]
    if "enum" in schema:
        return [f"`{one}`" for one in schema["enum"]]
    if schema.get("maxItems"):
        return [f"{schema['minItems']} to {schema['maxItems']:,}"]
    if schema.get("maxLength"):
        return [f"up to {schema['maxLength']} characters"]
    if "minimum" in schema:
        least, most = schema["minimum"], schema["maximum"]
        return [f"{least} or more" if most == 2**63 - 1 else f"{least} to {most:,}"]
    return ["true or false"] if schema.get("type") == "boolean" else []


def test_every_message_is_in_the_table_with_its_fields() -> None:
    told = {cells[0].strip("`"): names_in(cells[2]) for cells in rows("`type`")}
    told["prediction_update"] = [
        name for cells in rows("Field", after="\nA `prediction_update`:") for name in names_in(cells[0])
    ]
    assert told.keys() == {asyncapi.tag_of(kind) for kind in asyncapi.MESSAGES}
    for kind in asyncapi.MESSAGES:
        fields = [
            field.encode_name + "?" * (field.default is not msgspec.NODEFAULT)
            for field in msgspec.structs.fields(kind)
        ]
        assert sorted(told[asyncapi.tag_of(kind)]) == sorted(fields)


def names_in(cell: str) -> list[str]:
    """The fields that a cell names; what stands in brackets explains one."""
    return re.findall(r"`([\w?]+)`", re.sub(r"\(.*?\)", "", cell))


@pytest.mark.parametrize(
    ("heading", "meant"),
    [
        ("Warning", set(Warned)),
        ("Rejection", set(Rejected)),
        ("Mode", set(get_args(requests.Mode))),
    ],
)
def test_a_table_has_every_value_that_there_is(heading: str, meant: set[str]) -> None:
    assert {cells[0].strip("`") for cells in rows(heading)} == meant


def test_every_frame_of_the_document_is_one_of_the_protocol() -> None:
    text = re.sub(r"^```python\n.*?^```", "", SOCKET, flags=re.MULTILINE | re.DOTALL)  # those are run
    nested = r"(?:[^{}]|\{[^{}]*\})*"
    asked = re.findall(rf'\{{"action":{nested}\}}', text)
    told = re.findall(rf'\{{"type":{nested}\}}', text)
    assert asked
    assert told
    for frame in asked:
        assert requests.decode(frame)
    for frame in told:
        message = msgspec.json.decode(frame, type=cast(Any, messages.Message))
        assert msgspec.to_builtins(message) == json.loads(frame)


@pytest.mark.parametrize(
    "words",
    [
        f"first frame, within {limits.AUTH_TIMEOUT_S:g} seconds",
        f"{LIFETIME_S} seconds and one socket",
        f"has {limits.MAX_MESSAGE_BYTES // 1024} KiB at most",
        f"a connection holds {limits.MAX_SYMBOLS} symbols",
        f"watches {limits.MAX_WATCHES} jobs",
        f"up to {limits.MAX_OUTBOX:,} in a frame",
        f"You get {DEFAULT_FRAMES_PER_S} frames of updates a second, and up to {DEFAULT_FRAMES_PER_S} at",
        f"You may send {limits.FRAMES_IN_PER_S} frames a second, and {limits.FRAMES_IN_PER_S} at once",
        f"What may not go yet waits: {limits.MAX_OUTBOX:,} updates",
        f"taken nothing for {limits.SLOW_AFTER_S:g} seconds",
        f"after {limits.GIVEN_UP_AFTER_S:g} seconds you are closed with {Close.SLOW_READER:d}",
        f"up to {limits.MAX_RESUMED:,} updates of the request's symbols",
        f"pings every {limits.HEARTBEAT_S} seconds",
        f"does not answer within {limits.HEARTBEAT_S} seconds",
        f"sent no frame for {limits.IDLE_S / 60:g} minutes",
        f"in random order, over up to {server.DRAIN_S:g} seconds",
        f"its connections count for {leases.TTL_S:g} seconds more",
        f"a message of more than {2 * limits.MAX_MESSAGE_BYTES // 1024} KiB",
        f"`ACCESS_TOKEN_S` ({Config().access_token_s} seconds)",
        f"This is version {limits.VERSION} of the protocol",
    ],
)
def test_a_number_of_the_socket_is_that_of_the_code(words: str) -> None:
    assert words in " ".join(SOCKET.split())


@pytest.mark.django_db
def test_the_table_of_limits_has_what_the_welcome_tells() -> None:
    told = {cells[2].strip("`").split("`")[0]: cells[1] for cells in rows("Limit")}
    fields = {field.name: field.default for field in msgspec.structs.fields(messages.Limits)}
    assert told.keys() == fields.keys()
    fields["frames_per_s"] = DEFAULT_FRAMES_PER_S
    tiers = {tier.name: tier.most_connections for tier in Tier.objects.exclude(most_connections=0)}
    most = [f"`{name}` {'no limit' if count is None else count}" for name, count in tiers.items()]
    assert sorted(told.pop("connections").removeprefix("by tier: ").split(", ")) == sorted(most)
    for name, number in told.items():
        assert number.startswith(f"{fields[name]:,}"), name


def test_a_client_stops_where_the_table_says_so() -> None:
    useless = re.search(r"^USELESS = \{(.*?)\}", SOCKET, re.MULTILINE)
    assert useless is not None
    stops = {
        str(int(close)) for close, one in CLOSES.items() if one.reconnect.startswith(("no:", "not before"))
    }
    assert set(useless[1].split(", ")) == stops


@pytest.mark.parametrize(
    "stream", [streams.PREDICTIONS, streams.JOBS, streams.EXPLANATIONS, streams.DEAD_LETTERS]
)
def test_every_stream_is_documented(stream: streams.Stream) -> None:
    document = read("docs/EVENTS.md")
    assert f"| `{stream.name}` | {', '.join(f'`{s}`' for s in stream.subjects)} |" in document


def test_every_measure_of_accuracy_is_in_the_table() -> None:
    table = read("docs/ACCURACY.md").partition("| Field | Meaning |")[2].partition("\n\n")[0]
    told = [name for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in cell.split(", ")]
    assert sorted(name.strip("`") for name in told) == sorted(Measures.__struct_fields__)


def test_the_longest_horizon_is_that_of_the_code() -> None:
    assert read("docs/ACCURACY.md").count(f"{horizons.LONGEST.days}") == 2
