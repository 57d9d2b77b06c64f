"""docs/SETTINGS.md and both example files are those of the code, have every setting once, and can be used."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import msgspec
import pytest
from django.core.management import CommandError, call_command

from gateway_project import config, config_fields, settings_page
from gateway_project.config import Config
from gateway_project.settings import BASE_DIR

RENEW = "run `manage.py settings_page --write`"
SECRET = {"SECRET_KEY": "only-for-this-test"}
# Without a default that could be written down: it is made, or derived.
HIDDEN = {"secret_key", "jwt_keys"}


def read(name: str) -> str:
    """A file of the project as text."""
    return (BASE_DIR / name).read_text()


def uncommented(name: str) -> str:
    """An example file with every setting in force."""
    return re.sub(r"^#(?=\w)", "", read(name), flags=re.MULTILINE)


def test_the_page_is_that_of_the_code() -> None:
    assert settings_page.with_tables(read(settings_page.PAGE)) == read(settings_page.PAGE), RENEW


def test_the_examples_are_those_of_the_code() -> None:
    assert settings_page.example_yaml() == read(settings_page.YAML), RENEW
    assert settings_page.example_variables() == read(settings_page.VARIABLES), RENEW


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            settings_page.PAGE,
            r"^\| `([A-Z_]+)` \| [^|]+ \| [^|]+ \| (?:every|(?:web|ws|bridge|worker|, )+) \|",
        ),
        (settings_page.YAML, r"^#([a-z_]+): \S"),
        (settings_page.VARIABLES, r"^#([A-Z_]+)="),
    ],
)
def test_every_setting_is_there_once(name: str, line: str) -> None:
    assert [one.lower() for one in re.findall(line, read(name), re.MULTILINE)] == list(config_fields.KINDS)


def test_the_copy_of_an_example_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(read(settings_page.YAML))
    assert config.load(tmp_path, SECRET) == config.load(tmp_path, SECRET | {"GATEWAY_CONFIG": ""})
    assert config.given_settings(tmp_path, {}) == set()


def test_the_yaml_with_every_line_in_force_says_the_defaults(tmp_path: Path) -> None:
    usual = config.load(tmp_path, SECRET)
    (tmp_path / "gateway.yaml").write_text(uncommented(settings_page.YAML))
    assert config.given_settings(tmp_path, {}) == set(config_fields.KINDS)
    assert with_its_database(config.load(tmp_path, SECRET), tmp_path) == usual


def test_the_variables_as_a_shell_reads_them_say_the_defaults(tmp_path: Path) -> None:
    usual = config.load(tmp_path, SECRET)
    path = tmp_path / "example.env"
    path.write_text(uncommented(settings_page.VARIABLES))
    script = f"set -a; . {shlex.quote(str(path))}; set +a; env -0"
    told = subprocess.run(["env", "-i", "sh", "-c", script], check=True, capture_output=True, text=True)
    found = dict(line.split("=", 1) for line in told.stdout.split("\0") if line)
    assert {name.upper() for name in config_fields.KINDS} <= found.keys()
    assert with_its_database(config.load(tmp_path, found | SECRET), tmp_path) == usual


def with_its_database(found: Config, folder: Path) -> Config:
    """`found` with the path of SQLite as it is where nothing names it."""
    url = found.database_url.replace("sqlite:///", f"sqlite:///{folder}/")
    return msgspec.structs.replace(found, database_url=url)


def test_no_secret_has_a_value() -> None:
    for name in HIDDEN:
        assert re.search(rf'^#{name}: (""|\[\])$', read(settings_page.YAML), re.MULTILINE)
        assert re.search(rf"^#{name.upper()}=$", read(settings_page.VARIABLES), re.MULTILINE)
    for name in (settings_page.PAGE, settings_page.YAML, settings_page.VARIABLES):
        assert set(re.findall(r"://([^\s@`\"]+)@", read(name))) <= {"user:password"}


def test_a_setting_that_is_not_described_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(config_fields.KINDS, "colour", str)
    with pytest.raises(ValueError, match="colour needs a group, a meaning, and its roles"):
        list(settings_page.settings())


def test_a_page_without_its_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="there is no line '<!-- settings -->'"):
        settings_page.with_tables("# Settings\n")


def test_the_command_prints_the_tables_or_renews_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: object
) -> None:
    call_command("settings_page")
    assert capsys.readouterr().out == settings_page.tables()
    settings.BASE_DIR = tmp_path  # type: ignore[attr-defined]
    with pytest.raises(CommandError, match="No such file"):
        call_command("settings_page", "--write")
    (tmp_path / "docs").mkdir()
    (tmp_path / settings_page.PAGE).write_text(
        "Mine.\n<!-- settings -->\nold\n<!-- end of settings -->\nAlso.\n"
    )
    call_command("settings_page", "--write")
    page = (tmp_path / settings_page.PAGE).read_text()
    assert page == f"Mine.\n<!-- settings -->\n\n{settings_page.tables()}\n<!-- end of settings -->\nAlso.\n"
    assert (tmp_path / settings_page.YAML).read_text() == settings_page.example_yaml()
    assert (tmp_path / settings_page.VARIABLES).read_text() == settings_page.example_variables()
    assert capsys.readouterr().out == ""
