"""A setting comes from the first place that has it; what is wrong is told with name, source and remedy."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from gateway_project import config, config_fields, config_kinds
from gateway_project.config import Config, ConfigurationError

SECRET = {"SECRET_KEY": "only-for-this-test"}


def load(folder: Path, environ: Mapping[str, str] | None = None, *, yaml: str | None = None) -> Config:
    """The configuration in `folder` with a secret key, and with `yaml` as its gateway.yaml."""
    if yaml is not None:
        (folder / "gateway.yaml").write_text(yaml)
    return config.load(folder, {**SECRET, **(environ or {})})


def refusal(folder: Path, environ: Mapping[str, str] | None = None, *, yaml: str | None = None) -> str:
    """Why that configuration is refused."""
    with pytest.raises(ConfigurationError) as raised:
        load(folder, environ, yaml=yaml)
    return str(raised.value)


def write_endpoints(folder: Path, text: str) -> None:
    """What a stack that runs, or has run, in `folder` left there."""
    (folder / ".data").mkdir(exist_ok=True)
    (folder / ".data" / config.ENDPOINTS_FILE).write_text(text)


@contextlib.contextmanager
def held_lock(folder: Path, operation: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold the lock of a running stack in `folder`."""
    (folder / ".data").mkdir(exist_ok=True)
    with (folder / ".data" / config.LOCK_FILE).open("ab") as file:
        fcntl.flock(file, operation)
        yield


ENDPOINTS = {
    "http": "http://127.0.0.1:8000",
    "database": "sqlite:////running/gateway.sqlite3",
    "redis": "redis://running:1/0",
    "nats": "nats://running:2",
}


def test_a_file_may_refer_to_the_environment(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        {"PASSWORD": "hush", "ORIGINS": "https://a.example,https://b.example", "COUNT": "7"},
        yaml=(
            "database_url: postgresql://u:${PASSWORD}@${DB_HOST:-db}/x\n"
            "cors_origins: ${ORIGINS}\n"
            "allowed_hosts: ['${HOST:-h.example}', i.example]\n"
            "worker_threads: ${COUNT}\n"
            "debug: ${DEBUGGING:-yes}\n"
            "symbol_pattern: '[A-Z]$'\n"
        ),
    )
    assert found.database_url == "postgresql://u:hush@db/x"
    assert found.cors_origins == ["https://a.example", "https://b.example"]
    assert found.allowed_hosts == ["h.example", "i.example"]
    assert (found.worker_threads, found.debug, found.symbol_pattern) == (7, True, "[A-Z]$")


@pytest.mark.parametrize("value", ["${NOT_SET}", "[a, '${NOT_SET}']"])
def test_a_reference_to_nothing_is_refused_with_what_would_do(tmp_path: Path, value: str) -> None:
    told = refusal(tmp_path, yaml=f"allowed_hosts: {value}")
    assert told.startswith(f"allowed_hosts ({tmp_path / 'gateway.yaml'}): ")
    assert "no environment variable NOT_SET" in told
    assert "${NOT_SET:-something}" in told


def test_what_a_reference_brings_is_checked_as_the_value_of_a_variable(tmp_path: Path) -> None:
    told = refusal(tmp_path, {"COUNT": "many"}, yaml="worker_threads: ${COUNT}")
    assert told.startswith("WORKER_THREADS = ${COUNT} (")
    assert "must be a whole number" in told


@pytest.mark.parametrize(
    "yaml",
    [
        "worker_threads: ${ELSEWHERE}",
        "log_level: ${ELSEWHERE}",
        "symbol_pattern: '(?P<${ELSEWHERE}>('",
        "trusted_proxies: ${ELSEWHERE}",
        "metrics_networks: [10.0.0.0/8, '${ELSEWHERE}']",
        "cors_origins: ${ELSEWHERE:-http://x}",
        "explainer: ${ELSEWHERE}",
    ],
)
def test_what_a_reference_brings_is_not_told(tmp_path: Path, yaml: str) -> None:
    told = refusal(tmp_path, {"ELSEWHERE": "hunter-2"}, yaml=yaml)
    assert "ELSEWHERE" in told
    assert "hunter" not in told


def test_without_any_source_the_defaults_are_those_of_development_on_loopback(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert found.redis_url == "redis://127.0.0.1:6379/0"
    assert found.nats_url == "nats://127.0.0.1:4222"
    assert found.data_dir == tmp_path / ".data"
    assert found.database_url == f"sqlite:///{tmp_path}/.data/gateway.sqlite3"
    assert (found.debug, found.anonymous_access, found.log_level) == (False, True, "INFO")
    assert found.allowed_hosts == ["localhost", "127.0.0.1", "[::1]"]


@pytest.mark.parametrize(
    ("setting", "start"),
    [("redis_url", "redis://"), ("nats_url", "nats://"), ("database_url", "sqlite:////")],
)
def test_environment_goes_before_yaml_before_the_running_stack_before_the_default(
    tmp_path: Path, setting: str, start: str
) -> None:
    environ, yaml = {setting.upper(): f"{start}environment"}, f"{setting}: {start}yaml"
    running = ENDPOINTS[setting.removesuffix("_url")]
    default = getattr(load(tmp_path), setting)
    write_endpoints(tmp_path, json.dumps(ENDPOINTS))
    with held_lock(tmp_path):
        assert getattr(load(tmp_path), setting) == running != default
        assert getattr(load(tmp_path, yaml=yaml), setting) == f"{start}yaml"
        assert getattr(load(tmp_path, environ), setting) == f"{start}environment"
    (tmp_path / "gateway.yaml").unlink()
    assert getattr(load(tmp_path), setting) == default


def test_endpoints_of_a_stack_that_is_gone_are_ignored(tmp_path: Path) -> None:
    write_endpoints(tmp_path, json.dumps(ENDPOINTS))
    assert load(tmp_path).redis_url == "redis://127.0.0.1:6379/0"
    with held_lock(tmp_path):
        assert config.read_endpoints(tmp_path / ".data") == ENDPOINTS
    assert (tmp_path / ".data" / config.LOCK_FILE).exists()
    assert config.read_endpoints(tmp_path / ".data") == {}
    assert load(tmp_path).redis_url == "redis://127.0.0.1:6379/0"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"redis": 1}', '{"redis": null}', "null"])
def test_endpoints_that_cannot_be_read_are_ignored(tmp_path: Path, text: str) -> None:
    write_endpoints(tmp_path, text)
    with held_lock(tmp_path):
        assert config.read_endpoints(tmp_path / ".data") == {}
        assert load(tmp_path).redis_url == "redis://127.0.0.1:6379/0"


def test_a_running_stack_without_endpoints_changes_nothing(tmp_path: Path) -> None:
    with held_lock(tmp_path):
        assert config.read_endpoints(tmp_path / ".data") == {}


def test_a_lock_counts_only_while_another_holds_it_for_itself(tmp_path: Path) -> None:
    path = tmp_path / ".data" / config.LOCK_FILE
    assert not config.is_locked(path)
    with held_lock(tmp_path):
        assert config.is_locked(path)
    assert not config.is_locked(path)
    with held_lock(tmp_path, fcntl.LOCK_SH):
        assert not config.is_locked(path)


def test_the_data_folder_moves_everything_that_lies_in_it(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / config.SECRET_KEY_FILE).write_text("from the folder\n")
    for environ in ({"DATA_DIR": str(elsewhere)}, {"DATA_DIR": "elsewhere"}):
        found = config.load(tmp_path, environ)
        assert found.data_dir == elsewhere
        assert found.secret_key == "from the folder"
        assert found.database_url == f"sqlite:///{elsewhere}/gateway.sqlite3"


@pytest.mark.parametrize("setting", ["debug", "anonymous_access"])
def test_a_boolean_of_the_environment_may_be_written_in_many_ways(tmp_path: Path, setting: str) -> None:
    for text in ("1", "true", "TRUE", " yes ", "On"):
        assert getattr(load(tmp_path, {setting.upper(): text}), setting) is True
    for text in ("0", "false", "False", "no", "OFF\n"):
        assert getattr(load(tmp_path, {setting.upper(): text}), setting) is False


@pytest.mark.parametrize(
    ("text", "items"), [("", []), (",", []), ("a", ["a"]), (" a , b,,c ", ["a", "b", "c"])]
)
def test_a_list_of_the_environment_is_separated_by_commas(
    tmp_path: Path, text: str, items: list[str]
) -> None:
    assert load(tmp_path, {"ALLOWED_HOSTS": text}).allowed_hosts == items


def test_numbers_of_the_environment_are_read_from_text(tmp_path: Path) -> None:
    found = load(tmp_path, {"WORKER_THREADS": "100", "STALE_AFTER_S": "0.5", "CACHE_MAX_AGE_S": "0"})
    assert (found.worker_threads, found.stale_after_s, found.cache_max_age_s) == (100, 0.5, 0)


def test_yaml_has_types_of_its_own(tmp_path: Path) -> None:
    found = load(tmp_path, yaml="debug: true\nworker_threads: 4\nallowed_hosts: [a, b]\nstale_after_s: 5\n")
    assert (found.debug, found.worker_threads, found.allowed_hosts) == (True, 4, ["a", "b"])
    assert found.stale_after_s == 5.0


def test_an_empty_yaml_file_sets_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, yaml=" \n") == load(tmp_path, yaml="{}")


@pytest.mark.parametrize("source", ["environment", "yaml"])
@pytest.mark.parametrize(
    ("setting", "text", "remedy"),
    [
        ("debug", "maybe", "must be true or false"),
        ("worker_threads", "many", "must be a whole number, 1 to 100"),
        ("worker_threads", "1.5", "must be a whole number, 1 to 100"),
        ("worker_threads", "0", "must be a whole number, 1 to 100"),
        ("database_pool_size", "101", "must be a whole number, 1 to 100"),
        ("cache_max_age_s", "-1", "must be a whole number of seconds, 0 or more"),
        ("bridge_batch_ms", "0", "must be a whole number of milliseconds, 1 or more"),
        ("explainer_memory_mb", "1", "must be a whole number of MiB, 256 or more"),
        ("stale_after_s", "0", "must be a number of seconds above 0"),
        ("stale_after_s", "soon", "must be a number of seconds above 0"),
        ("otel_traces_sampler_arg", "1.5", "must be a number, 0 to 1"),
        ("log_format", "text", "must be one of auto, json, pretty"),
        ("explainer", "Mine", "must be a dotted path such as `package.module.Class`"),
    ],
)
def test_a_bad_value_is_told_with_setting_source_and_remedy(
    tmp_path: Path, source: str, setting: str, text: str, remedy: str
) -> None:
    name = setting.upper()
    if source == "yaml":
        message = refusal(tmp_path, yaml=f"{setting}: {text}")
        assert f"{name} = " in message
        assert f"({tmp_path}/gateway.yaml)" in message
    else:
        message = refusal(tmp_path, {name: text})
        assert message.startswith(f"{name} = {text!r} (environment variable {name}): ")
    assert remedy in message


def test_a_log_level_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, {"LOG_LEVEL": "LOUD"}).startswith(
        "LOG_LEVEL = 'LOUD' (environment variable LOG_LEVEL)"
    )


@pytest.mark.parametrize("yaml", ["allowed_hosts: a", "allowed_hosts: [1]", "allowed_hosts: [{a: b}]"])
def test_a_bad_list_is_named_without_the_place_in_it(tmp_path: Path, yaml: str) -> None:
    assert refusal(tmp_path, yaml=yaml).startswith("ALLOWED_HOSTS = ")


@pytest.mark.parametrize("key", ["colour", "SECRET_KEY", "data-dir"])
def test_an_unknown_yaml_key_is_named_and_the_list_of_settings_shown(tmp_path: Path, key: str) -> None:
    message = refusal(tmp_path, yaml=f"{key}: red")
    assert message.startswith(f"{key} ({tmp_path}/gateway.yaml) is no setting")
    assert "docs/SETTINGS.md" in message


def test_unknown_yaml_keys_are_told_together_with_what_is_near(tmp_path: Path) -> None:
    place = f"({tmp_path}/gateway.yaml) is no setting"
    assert refusal(tmp_path, yaml="log-level: x\nDEBUG: x\nzzz: x\nlog_format: x\nalowed_hosts: x") == (
        f"DEBUG {place}, did you mean debug?; alowed_hosts {place}, did you mean allowed_hosts?; "
        f"log-level {place}, did you mean log_level?; zzz {place}; docs/SETTINGS.md lists them"
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GATEWAY_ROLES", "GATEWAY_ROLE"),
        ("GATEWAY_CONF", "GATEWAY_CONFIG"),
        ("GATEWAY_LOG_LEVEL", "LOG_LEVEL"),
        ("GATEWAY_SECRET_KEY", "SECRET_KEY"),
        ("GATEWAY_GATEWAY_ROLE", "GATEWAY_ROLE"),
    ],
)
def test_a_variable_that_can_be_meant_for_the_gateway_alone_is_refused(
    tmp_path: Path, name: str, meant: str
) -> None:
    told = f"{name} (environment variable) is no setting; its name is {meant}"
    assert refusal(tmp_path, {name: "hunter2"}) == told


def test_other_variables_that_begin_so_are_let_be(tmp_path: Path) -> None:
    # What Kubernetes makes for a Service of that name, what the image has, and what is spelt right as well.
    for name in ("PORT", "SERVICE_HOST", "PORT_80_TCP", "COMMIT", "VERSION", "IMAGE", "URL", "MODE", "ROUTE"):
        load(tmp_path, {f"GATEWAY_{name}": "tcp://10.0.0.1:80"})
    load(tmp_path, {"GATEWAY_ROLE": "web", "GATEWAY_ROLES": "web"})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ALOWED_HOSTS", "ALLOWED_HOSTS"),
        ("CORS_ORIGIN", "CORS_ORIGINS"),
        ("DATABASE_POOLSIZE", "DATABASE_POOL_SIZE"),
        ("REDIS_URI", "REDIS_URL"),
        ("log_level", None),
        ("OTEL_TRACES_SAMPLER", None),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", None),
        ("GATEWAY_CONFIG", None),
        ("GATEWAY_COMMIT", None),
        ("DATABASE_HOST", None),
        ("REDIS_PORT", None),
        ("HOME", None),
    ],
)
def test_a_variable_that_looks_like_a_setting_is_found_and_not_refused(
    tmp_path: Path, name: str, meant: str | None
) -> None:
    assert config.find_misspelt({name: "x"}) == ({name: meant} if meant else {})
    if meant:
        assert config.find_misspelt({name: "x", meant: "y"}) == {}
        load(tmp_path, {name: "x"})


@pytest.mark.parametrize("number", ["inf", "Infinity"])
def test_a_number_without_an_end_is_refused(tmp_path: Path, number: str) -> None:
    assert "STALE_AFTER_S = inf" in refusal(tmp_path, {"STALE_AFTER_S": number})
    assert "must be a number of seconds above 0" in refusal(tmp_path, {"STALE_AFTER_S": "nan"})


def test_every_kind_is_told_in_words(tmp_path: Path) -> None:
    words = {name: config_kinds.told(name, kind) for name, kind in config_fields.KINDS.items()}
    assert words["database_url"] == "a URL"
    assert words["usage_retention_days"] == "a whole number of days, 1 or more"
    assert words["log_level"] == "one of DEBUG, INFO, WARNING, ERROR"
    assert words["allowed_hosts"] == "a list of texts"
    assert words["data_dir"] == "the path of a folder"
    assert words["environment"] == "text"
    assert all(words.values())


@pytest.mark.parametrize(
    "name", [name for name, kind in config_fields.KINDS.items() if config_kinds.is_secret(kind)]
)
@pytest.mark.parametrize("yaml", ["{hunter2: a}", "[[hunter2]]"])
def test_the_value_of_a_secret_is_never_told(tmp_path: Path, name: str, yaml: str) -> None:
    (tmp_path / "gateway.yaml").write_text(f"{name}: {yaml}")
    with pytest.raises(ConfigurationError) as raised:
        config.load(tmp_path, {})
    assert str(raised.value).startswith(f"{name.upper()} ({tmp_path}/gateway.yaml): must be ")


@pytest.mark.parametrize("yaml", ["- a", "text", "a: [", "a: b: c", "1: 2", "a: 1\n---\nb: 2"])
def test_a_file_that_is_no_mapping_is_named(tmp_path: Path, yaml: str) -> None:
    assert refusal(tmp_path, yaml=yaml).startswith(
        f"{tmp_path}/gateway.yaml is not a YAML mapping of settings"
    )


def test_another_file_may_be_named_and_must_exist(tmp_path: Path) -> None:
    named = tmp_path / "other.yaml"
    environ = {"GATEWAY_CONFIG": str(named)}
    message = refusal(tmp_path, environ, yaml="log_level: ERROR")
    assert message == f"cannot read {named}: No such file or directory"
    named.write_text("log_level: DEBUG")
    assert load(tmp_path, environ).log_level == "DEBUG"
    assert load(tmp_path, {"GATEWAY_CONFIG": ""}).log_level == "ERROR"
    named.write_text("worker_threads: 0")
    assert f"({named})" in refusal(tmp_path, environ)


@pytest.mark.parametrize("pattern", ["[", "(", "*", "[Z-A]"])
def test_a_symbol_pattern_that_is_no_regular_expression_is_refused(tmp_path: Path, pattern: str) -> None:
    message = refusal(tmp_path, {"SYMBOL_PATTERN": pattern})
    assert message.startswith(
        f"SYMBOL_PATTERN = {pattern!r} (environment variable SYMBOL_PATTERN): is no regular expression"
    )


def test_the_symbol_pattern_is_compiled_for_use(tmp_path: Path) -> None:
    pattern = load(tmp_path, {"SYMBOL_PATTERN": "[A-Z.]{1,8}"}).compiled_symbol_pattern
    assert pattern.fullmatch("BRK.B")
    assert not pattern.fullmatch("brk.b")


@pytest.mark.parametrize(
    ("setting", "good"),
    [
        ("DATABASE_URL", ["postgresql://h/d", "postgres://h/d", "sqlite:///d"]),
        ("REDIS_URL", ["redis://h", "rediss://h", "unix:///s"]),
        ("NATS_URL", ["nats://a,nats://b", "tls://h", "ws://h", "wss://h"]),
    ],
)
def test_a_url_of_another_scheme_is_refused_with_those_that_fit(
    tmp_path: Path, setting: str, good: list[str]
) -> None:
    for url in good:
        assert getattr(load(tmp_path, {setting: url}), setting.lower()) == url
    for url in ("http://u:hunter2@h", "hunter2", "", "mysql://h"):
        message = refusal(tmp_path, {setting: url})
        assert message.startswith(
            f"{setting} (environment variable {setting}): must start with one of "
            f"{good[0].partition('://')[0]}://"
        )
        assert "hunter2" not in message


@pytest.mark.parametrize("setting", ["secret_key", "database_url", "redis_url", "nats_url"])
@pytest.mark.parametrize(
    "value", ["[hunter2]", "{hunter2: a}", "'hunter2", "hunter2: x", "*hunter2", "{hunter2"]
)
def test_no_refusal_shows_a_secret_or_a_url(tmp_path: Path, setting: str, value: str) -> None:
    (tmp_path / "gateway.yaml").write_text(f"{setting}: {value}")
    with pytest.raises(ConfigurationError) as raised:
        config.load(tmp_path, {})
    assert "hunter2" not in str(raised.value)


def test_without_a_secret_key_the_start_is_refused_with_three_remedies(tmp_path: Path) -> None:
    for environ in ({}, {"SECRET_KEY": ""}, {"DEBUG": "false"}):
        with pytest.raises(ConfigurationError, match="SECRET_KEY is not set") as raised:
            config.load(tmp_path, environ)
        assert all(remedy in str(raised.value) for remedy in ("50 or more", "make run", "DEBUG=true"))


def test_a_secret_key_comes_from_the_setting_then_the_data_folder_then_debug(tmp_path: Path) -> None:
    in_debug = config.load(tmp_path, {"DEBUG": "1"}).secret_key
    assert "insecure" in in_debug
    (tmp_path / ".data").mkdir()
    (tmp_path / ".data" / config.SECRET_KEY_FILE).write_text("from the folder\n")
    assert config.load(tmp_path, {}).secret_key == "from the folder"
    assert config.load(tmp_path, {"DEBUG": "1"}).secret_key == "from the folder"
    assert config.load(tmp_path, SECRET).secret_key == SECRET["SECRET_KEY"]


@pytest.mark.parametrize("field", [field.name for field in msgspec.structs.fields(Config)])
def test_every_setting_is_known_as_given_from_either_source(tmp_path: Path, field: str) -> None:
    assert config.given_settings(tmp_path, {}) == set()
    assert config.given_settings(tmp_path, {field.upper(): "x", "PATH": "/bin"}) == {field}
    (tmp_path / "gateway.yaml").write_text(f"{field}: x")
    assert config.given_settings(tmp_path, {"DEBUG": "1"}) == {field, "debug"}


def test_a_process_is_configured_by_its_own_environment(tmp_path: Path) -> None:
    found = config.load_from_process(tmp_path)
    assert found.redis_url == os.environ["REDIS_URL"]
    assert found.secret_key == os.environ["SECRET_KEY"]
