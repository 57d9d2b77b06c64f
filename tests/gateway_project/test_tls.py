"""Certificates and keys that cannot be served with are refused by name; of a good one the end is told."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from prometheus_client import REGISTRY

from gateway_project import tls
from observability import exposition
from tests.gateway_project import certificates


def test_a_context_speaks_tls_1_2_and_newer(tmp_path: Path) -> None:
    context = tls.load(*map(str, certificates.make(tmp_path)))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE


def test_the_metrics_tell_when_the_certificate_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "_samplers", [])
    made = certificates.make(tmp_path)
    tls.load(*map(str, made))
    exposition.sample()
    ends_at = REGISTRY.get_sample_value("pgw_certificate_expires_seconds", {"file": str(made.certificate)})
    assert ends_at == pytest.approx(time.time() + 86_400, abs=60)


def test_one_that_has_ended_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposition, "_samplers", [])
    monkeypatch.setattr(tls, "_read_end", lambda _: datetime(2020, 1, 1, tzinfo=UTC))
    tls.load(*map(str, certificates.make(tmp_path)))
    assert "has ended at 2020-01-01" in caplog.text


def test_what_is_wrong_is_told_with_the_file(tmp_path: Path) -> None:
    good, other = certificates.make(tmp_path), certificates.make(tmp_path, "other")
    locked = certificates.make(tmp_path, "locked", password="secret")
    nothing, junk = tmp_path / "nothing", tmp_path / "junk"
    junk.write_text("junk")
    for certificate, key, told in (
        (nothing, good.key, f"TLS_CERTIFICATE: there is no file {nothing}"),
        (tmp_path, good.key, "TLS_CERTIFICATE: .* cannot be read"),
        (junk, good.key, f"TLS_CERTIFICATE: {junk} is no certificate in PEM"),
        (good.certificate, nothing, f"TLS_KEY: there is no file {nothing}"),
        (good.certificate, junk, f"TLS_KEY: {junk} is no private key in PEM"),
        (good.certificate, other.key, f"TLS_KEY: {other.key} does not belong to the certificate"),
        (locked.certificate, locked.key, f"TLS_KEY: {locked.key} is encrypted"),
    ):
        with pytest.raises(tls.Unusable, match=told):
            tls.load(str(certificate), str(key))


@pytest.mark.parametrize("workers", [None, 2])
def test_serve_refuses_them_before_it_listens(tmp_path: Path, workers: int | None) -> None:
    with pytest.raises(CommandError, match="there is no file nowhere"):
        call_command("serve", port=0, workers=workers, tls_certificate="nowhere", tls_key="nowhere")
    with pytest.raises(CommandError, match="give both or neither"):
        call_command("serve", port=0, workers=workers, tls_certificate="nowhere")
