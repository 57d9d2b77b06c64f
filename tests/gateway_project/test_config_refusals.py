"""Configurations that must be refused in one sentence, without a trace and without telling a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway_project.config import ConfigurationError, load

GOOD = {"SECRET_KEY": "a-secret-key-for-this-test-only-0123456789"}


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"SECRET_KEY": "insecure-development-secret"}, "only DEBUG=true allows"),
        ({"SECRET_KEY": "   "}, "SECRET_KEY is not set"),
        ({"DATABASE_URL": "postgresql://u:pa/ss@h/db"}, "in the password, write"),
        ({"DATABASE_URL": "postgresql://u:pa#ss@h:1/db"}, "in the password, write"),
        ({"DATABASE_URL": "postgresql://h:99999/db"}, "DATABASE_URL (environment variable"),
        ({"DATABASE_URL": "postgresql://[x/db"}, "DATABASE_URL (environment variable"),
        ({"NATS_URL": "nats://a,http://b"}, "NATS_URL (environment variable NATS_URL): must start"),
        ({"LOG_LEVEL": "loud"}, "must be one of DEBUG, INFO, WARNING, ERROR"),
        ({"LOG_FORMAT": "text"}, "must be one of auto, json, pretty"),
        ({"ACCESS_LOG": "maybe"}, "ACCESS_LOG = 'maybe' (environment variable ACCESS_LOG)"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, "must start with one of http://, https://"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "pa:ss@h"}, "OTEL_EXPORTER_OTLP_ENDPOINT (environment variable"),
        ({"OTEL_TRACES_SAMPLER_ARG": "2"}, "OTEL_TRACES_SAMPLER_ARG = '2'"),
        ({"SYMBOL_PATTERN": "a{99999999999999}"}, "SYMBOL_PATTERN = 'a{99999999999999}'"),
        ({"SYMBOL_PATTERN": "(" * 5000}, "is no regular expression"),
        ({"TRUSTED_PROXIES": "10.0.0.1/8"}, "write networks as 10.0.0.0/8 or fd00::/8"),
        ({"CORS_ORIGINS": "http://a.example"}, "http:// is for SECURITY_PRESET=development alone"),
        ({"CORS_ORIGINS": "*", "SECURITY_PRESET": "development"}, "each must be scheme://host"),
        ({"FORWARDED_PROTO": "yes"}, "FORWARDED_PROTO = True (environment variable FORWARDED_PROTO): needs"),
        ({"TLS_KEY": "key.pem"}, "TLS_CERTIFICATE = '' (default): TLS_CERTIFICATE and TLS_KEY go together"),
        ({"TLS_CERTIFICATE": "chain.pem"}, "TLS_KEY = '' (default): TLS_CERTIFICATE and TLS_KEY go together"),
        ({"JWT_KEYS": "pa:pass"}, "JWT_KEYS (environment variable JWT_KEYS): each must be kid:secret"),
        ({"JWT_KEYS": f"k:{'x' * 32},k:{'y' * 32}"}, "the kid once"),
        ({"DASHBOARD_KEY": "pa"}, "DASHBOARD_KEY (environment variable DASHBOARD_KEY): is no key"),
        ({"DATA_DIR": ""}, "DATA_DIR = '' (environment variable DATA_DIR): must be the path"),
        ({"GATEWAY_CONFIG": "/tmp"}, "cannot read /tmp: Is a directory"),  # noqa: S108
        ({"GATEWAY_CONFIG": "/etc/passwd/x"}, "cannot read /etc/passwd/x: Not a directory"),
    ],
)
def test_refused_with_the_setting_and_the_remedy(tmp_path: Path, environ: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, GOOD | environ)
    assert says in str(refused.value)
    assert "pa" not in str(refused.value).replace("password", "").replace("path", "").replace("passwd", "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("secret_key: !!int hunter2\n", "is not a YAML mapping"),
        ("secret_key: !hunter2 x\n", "is not a YAML mapping"),
        ("log_level: 2013-99-99\n", "is not a YAML mapping"),
        ("a: [hunter2\n", "is not a YAML mapping of settings (line 1, column 4)"),
        ("- hunter2\n", "is not a YAML mapping"),
        ("hunter: 2\n", "hunter ("),
        ("data_dir:\n", "DATA_DIR = None"),
        ("data_dir: [a]\n", "DATA_DIR = ['a']"),
    ],
)
def test_a_yaml_file_is_refused_without_quoting_its_values(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "gateway.yaml").write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, GOOD)
    assert says in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_a_yaml_file_without_settings_sets_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "gateway.yaml").write_text(text)
    assert load(tmp_path, GOOD) == load(tmp_path / "elsewhere", GOOD | {"DATA_DIR": str(tmp_path / ".data")})


@pytest.mark.parametrize("content", [b"\n", b"\xff\xfe"])
def test_a_secret_key_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".data").mkdir()
    (tmp_path / ".data" / "secret_key").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"SECRET_KEY is not set|cannot read the secret key"):
        load(tmp_path, {})


def test_a_data_folder_with_odd_characters_keeps_its_name(tmp_path: Path) -> None:
    from gateway_project.database import database_settings

    folder = tmp_path / "a%20b c"
    loaded = load(tmp_path, GOOD | {"DATA_DIR": str(folder)})
    made = database_settings(loaded.database_url, pool_size=1)
    assert made["NAME"] == str(folder / "gateway.sqlite3")
