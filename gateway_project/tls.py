"""TLS of the gateway's own: the context that a server speaks it with, and when its certificate ends."""

from __future__ import annotations

import datetime
import logging
import ssl
from pathlib import Path

from cryptography import x509

from observability import exposition, metrics

logger = logging.getLogger(__name__)


class Unusable(Exception):
    """Certificate and key cannot be served with; the text says what is wrong with which file."""


def load(certificate: str, key: str) -> ssl.SSLContext:
    """A context for TLS 1.2 and newer from two PEM files; raises `Unusable`.

    From now on the metrics tell when the certificate ends.
    """
    ends_at = _read_end(certificate)
    if not Path(key).is_file():
        raise Unusable(f"TLS_KEY: there is no file {key}")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_refuse_to_ask)
    except _Encrypted:
        raise Unusable(f"TLS_KEY: {key} is encrypted, and there is nobody to ask for its password") from None
    except PermissionError as error:
        raise Unusable(f"TLS_KEY: {key} cannot be read ({error.strerror})") from None
    except (ssl.SSLError, OSError) as error:
        reason = "does not belong to the certificate" if _is_mismatch(error) else "is no private key in PEM"
        raise Unusable(f"TLS_KEY: {key} {reason}") from None
    _tell(certificate, ends_at)
    return context


def _read_end(certificate: str) -> datetime.datetime:
    try:
        read = x509.load_pem_x509_certificate(Path(certificate).read_bytes())
    except FileNotFoundError:
        raise Unusable(f"TLS_CERTIFICATE: there is no file {certificate}") from None
    except OSError as error:
        raise Unusable(f"TLS_CERTIFICATE: {certificate} cannot be read ({error.strerror})") from None
    except ValueError:
        raise Unusable(f"TLS_CERTIFICATE: {certificate} is no certificate in PEM") from None
    return read.not_valid_after_utc


def _tell(certificate: str, ends_at: datetime.datetime) -> None:
    if ends_at <= datetime.datetime.now(datetime.UTC):
        logger.error("the certificate %s has ended at %s; clients will refuse it", certificate, ends_at)
    gauge = metrics.certificate_expires.labels(certificate)
    # Of the certificate that is served, whatever the file holds by now.
    exposition.register(lambda: gauge.set(ends_at.timestamp()))


class _Encrypted(Exception):
    """OpenSSL asks for a password."""


def _refuse_to_ask() -> str:
    raise _Encrypted


def _is_mismatch(error: Exception) -> bool:
    return isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH"
