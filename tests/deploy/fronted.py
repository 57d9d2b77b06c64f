"""docker/nginx moved to ports and folders of a test, for the nginx of this machine."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway_project import embedded
from tests import programs
from tests.deploy import composed
from tests.gateway_project import certificates

FOLDER = composed.FOLDER / "nginx"


def version_of(nginx: str) -> tuple[int, ...]:
    """For instance (1, 28, 1)."""
    told = subprocess.run([nginx, "-v"], capture_output=True, text=True, timeout=60, check=True).stderr
    found = re.search(r"nginx/([\d.]+)", told)
    assert found is not None, told
    return tuple(map(int, found[1].split(".")))


@dataclass(frozen=True)
class Front:
    """An nginx of a test, and where its doors are."""

    nginx: str
    folder: Path
    plain_port: int
    tls_port: int

    @property
    def command(self) -> list[str]:
        """Run it in the foreground; as root, its workers too, since nobody else may read the test's files."""
        user = " user root;" if os.geteuid() == 0 else ""
        return [self.nginx, "-c", str(self.folder / "nginx.conf"), "-g", f"daemon off;{user}"]

    def complaints(self) -> str:
        """What ``nginx -t`` says against the configuration; nothing where it is right."""
        done = subprocess.run([*self.command, "-t"], capture_output=True, text=True, timeout=60, check=False)
        return "" if done.returncode == 0 and "[warn]" not in done.stderr else done.stderr

    def access_log(self) -> str:
        """Every request so far, a line each."""
        return (self.folder / "tmp/stdout").read_text()

    def error_log(self) -> str:
        """What nginx complained of."""
        return (self.folder / "tmp/stderr").read_text()


def lay_out(folder: Path, doors: dict[str, str], web_port: int, ws_port: int) -> Front:
    """Write the configuration below `folder`; `doors` are its servers, by name and source."""
    nginx = programs.find("nginx", "nginx-light")
    front = Front(nginx, folder, embedded.free_port(), embedded.free_port())
    (folder / "tmp").mkdir()
    (folder / "servers").mkdir()
    (folder / "tls").mkdir()
    shutil.copy("/etc/nginx/mime.types", folder)
    files = {name: name for name in ("nginx.conf", "gateway.conf", "proxy.conf")}
    files |= {f"servers/{name}": source for name, source in doors.items()}
    for name, source in files.items():
        text = (FOLDER / source).read_text().replace("server web:8000", f"server 127.0.0.1:{web_port}")
        text = text.replace("server ws:8000", f"server 127.0.0.1:{ws_port}")
        text = text.replace("listen 8000", f"listen 127.0.0.1:{front.plain_port}")
        text = text.replace("listen 8443", f"listen 127.0.0.1:{front.tls_port}")
        text = text.replace("127.0.0.1:8081", f"127.0.0.1:{embedded.free_port()}")
        text = re.sub(r"/(tmp|dev)(?=/)", str(folder / "tmp"), text).replace("/etc/nginx", str(folder))
        # This machine's limits, not the container's.
        text = text.replace("worker_rlimit_nofile 131072;", "").replace(
            "worker_connections 32768", "worker_connections 512"
        )
        (folder / name).write_text(_for_version(text, version_of(nginx)))
    return front


def _for_version(text: str, version: tuple[int, ...]) -> str:
    """Without what an nginx older than the image's does not know."""
    if version < (1, 27, 3):
        text = text.replace(" resolve;", ";").replace("resolver 127.0.0.11 valid=5s ipv6=off;", "")
    if version < (1, 25, 1):
        text = text.replace("http2 on;", "")
    return text


def make_certificate(folder: Path) -> Path:
    """A certificate of its own for localhost in `folder`, where tls.conf looks for it."""
    made = certificates.make(folder / "tls", "localhost")
    made.key.rename(folder / "tls/privkey.pem")
    return made.certificate.rename(folder / "tls/fullchain.pem")


@contextlib.contextmanager
def running(front: Front) -> Iterator[Front]:
    """`front`, listening; ended as Compose ends it."""
    process = subprocess.Popen(front.command, stderr=subprocess.DEVNULL)
    try:
        assert embedded.wait_until_listening(front.plain_port, timeout_s=60), front.error_log()
        yield front
    finally:
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
