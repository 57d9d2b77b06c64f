"""The JavaScript client: what is written from contracts, its package, its calls and examples."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gateway_project.settings import BASE_DIR
from tests import programs
from tests.clients.npm import NODE, run, tool
from tests.people import add_key, add_tier
from tests.stack import Stack, eventually, numbered

PACKAGE = BASE_DIR / "clients/javascript"
HERE = Path(__file__).parent / "javascript"
REMEDY = "run: make client-types"


def texts(folder: Path) -> dict[str, str]:
    """What is in the files of a folder."""
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_what_needs_no_gateway() -> None:
    run("node", "--test", *sorted((PACKAGE / "test").glob("*.test.mjs")), cwd=PACKAGE)


def test_types_are_those_of_the_contracts(tmp_path: Path) -> None:
    tool("openapi-typescript")
    run("node", PACKAGE / "scripts/types.mjs", tmp_path, cwd=PACKAGE)
    written = texts(tmp_path)
    assert written == {name: (PACKAGE / "src" / name).read_text() for name in written}, REMEDY
    assert set(written) == {"schema.ts", "messages.ts"}


def test_dist_is_what_the_source_compiles_to(tmp_path: Path) -> None:
    run(tool("tsc"), "--project", PACKAGE, "--outDir", tmp_path, cwd=PACKAGE)
    assert texts(tmp_path) == texts(PACKAGE / "dist"), REMEDY


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A project without anything."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "package.json").write_text('{"name": "empty", "private": true, "type": "module"}')
    return folder


def install(project: Path, what: Path) -> None:
    """Install a folder or an archive; nothing may be fetched."""
    run(programs.find("npm", "npm"), "install", "--offline", "--no-audit", "--no-fund", what, cwd=project)


def test_the_folder_installs_with_types(empty: Path) -> None:
    install(empty, PACKAGE)
    shutil.copy(HERE / "typed.ts", empty)
    strict = ("--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--noEmit")
    run(tool("tsc"), *strict, "--module", "nodenext", "--target", "es2022", "typed.ts", cwd=empty)
    script = "import * as all from 'prediction-gateway-client'; console.log(Object.keys(all).join())"
    exported = run("node", "--input-type=module", "-e", script, cwd=empty)
    assert {"GatewayClient", "PredictionStream", "StreamClosedError"} <= set(exported.strip().split(","))


def test_the_archive_installs_and_holds_no_more_than_is_used(empty: Path, tmp_path: Path) -> None:
    npm = programs.find("npm", "npm")
    [told] = json.loads(run(npm, "pack", "--json", "--pack-destination", tmp_path, cwd=PACKAGE))
    folders = {Path(file["path"]).parts[0] for file in told["files"]}
    assert folders == {"LICENSE", "README.md", "dist", "examples", "package.json"}
    install(empty, tmp_path / told["filename"])
    script = "import { GatewayClient } from 'prediction-gateway-client'; console.log(new GatewayClient())"
    run("node", "--input-type=module", "-e", script, cwd=empty)


@pytest.fixture(scope="session")
def known(explaining: Stack) -> str:
    """A symbol with five predictions."""
    explaining.publish(*({**one, "features": {"momentum": 0.25}} for one in numbered("KNOWN", 5)))
    eventually(lambda: explaining.count_rows("KNOWN") == 5)
    eventually(lambda: explaining.read("KNOWN").get("predicted_price") == 5.0)
    return "KNOWN"


@pytest.fixture
def project(empty: Path) -> Path:
    """A project that uses the client, with the programs of these tests and its examples."""
    (empty / "node_modules").mkdir()
    (empty / "node_modules/prediction-gateway-client").symlink_to(PACKAGE)
    for script in (*HERE.glob("*.mjs"), *(PACKAGE / "examples").glob("*.mjs")):
        shutil.copy(script, empty)
    return empty


def gateway(stack: Stack, key: str | None = None) -> dict[str, str]:
    """The environment that names a gateway and a key."""
    return {"PGW_URL": stack.base_url, "PGW_API_KEY": key or stack.key}


def test_every_call_on_a_gateway(explaining: Stack, known: str, project: Path) -> None:
    told = json.loads(run(*NODE, "calls.mjs", known, cwd=project, **gateway(explaining)))
    assert {200, 201, 400, 404, 409} <= set(told.pop("statuses"))
    assert told == {
        "prediction": {"momentum": 0.25},
        "missing": ["ZZZZZ"],
        "pages": [5, 4, 3, 2, 1],
        "limited": 3,
        "later": 0,
        "before": "NotFoundError UNKNOWN_SYMBOL",
        "known": True,
        "counted": 0,
        "profile": "key",
        "version": "prediction-gateway",
        "malformed": "InvalidRequestError INVALID_SYMBOL",
        "unexplained": "NotFoundError UNKNOWN_EXPLANATION",
        "explained": [known, "deep", True],
        "progress": True,
        "again": True,
        "job": "done",
        "finished": "ConflictError JOB_FINISHED",
        "streamed": [known, True],
        "positions": [known],
        "identified": True,
    }


def test_the_example_of_errors(explaining: Stack, known: str, project: Path) -> None:
    here = gateway(explaining)
    assert run("node", "errors.mjs", known, cwd=project, **here).startswith("KNOWN: 5, ")
    assert run("node", "errors.mjs", "ZZZZZ", cwd=project, **here).startswith("nothing is known: ")
    assert run("node", "errors.mjs", "aapl", cwd=project, **here).startswith(
        "refused: INVALID_SYMBOL; report"
    )
    wrong = gateway(explaining, "pgw_live_wrong")
    assert run("node", "errors.mjs", known, cwd=project, **wrong).startswith("set PGW_API_KEY")
    spent = add_key(explaining, add_tier(explaining, ("none", "account", 1, 3600, None))).secret
    run("node", "errors.mjs", known, cwd=project, **gateway(explaining, spent))
    told = run("node", "errors.mjs", known, cwd=project, **gateway(explaining, spent))
    assert told.startswith("the quota is used up; try again in 3")
    away = {**here, "PGW_URL": "http://127.0.0.1:9"}
    assert run("node", "errors.mjs", known, cwd=project, **away).startswith("no gateway there: ")


def test_the_example_of_explanations(explaining: Stack, known: str, project: Path) -> None:
    told = run("node", "explain.mjs", known, "fast", cwd=project, **gateway(explaining))
    assert known in told
    assert "\n- " in told


def test_the_example_of_reconnects_goes_on_where_it_was(explaining: Stack, project: Path) -> None:
    explaining.publish(*numbered("AAPL", 1))
    eventually(lambda: explaining.read("AAPL"))
    first = run(*NODE, "reconnects.mjs", "1", cwd=project, **gateway(explaining))
    seqs = explaining.publish(*numbered("AAPL", 3))
    second = run(*NODE, "reconnects.mjs", "3", cwd=project, **gateway(explaining))
    assert first.splitlines()[0] == "connected"
    assert [f"AAPL {seq}" for seq in seqs] == [line.split(":")[0] for line in second.splitlines()[1:]]


def test_a_stream_in_which_nobody_is_ends_with_the_process(explaining: Stack, project: Path) -> None:
    """Leaving the loop leaves nothing behind that holds the process."""
    script = (
        "import { GatewayClient } from 'prediction-gateway-client';"
        "for await (const { type } of new GatewayClient().stream(['AAPL'])) if (type === 'connected') break;"
    )
    run(*NODE, "--input-type=module", "-e", script, cwd=project, **gateway(explaining))
