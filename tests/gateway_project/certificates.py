"""Certificates for tests, signed by themselves, as `openssl` makes them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple


class Files(NamedTuple):
    """PEM files of one certificate."""

    certificate: Path
    key: Path


def make(folder: Path, name: str = "gateway", *, password: str = "") -> Files:
    """A certificate for `localhost` and loopback, good for a day; its key is encrypted with a `password`."""
    made = Files(folder / f"{name}.crt", folder / f"{name}.key")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-days",
        "1",
    ]
    command += ["-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-out", str(made.certificate), "-keyout", str(made.key)]
    command += ["-passout", f"pass:{password}"] if password else ["-nodes"]
    subprocess.run(command, capture_output=True, check=True)
    return made
