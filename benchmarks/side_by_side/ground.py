"""What all contenders stand on: one Valkey, one NATS and one database, in a temporary folder."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from benchmarks.side_by_side import processes, send_times
from gateway_project import embedded

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Ground:
    """Servers that are up. `environ` leads the gateway, the peers and the feeder to them.

    At `nats_profile` NATS tells of its own memory.
    """

    folder: Path
    environ: dict[str, str]
    pids: dict[str, int]
    key: str
    nats_profile: str = ""

    @property
    def redis_url(self) -> str:
        """The Valkey."""
        return self.environ["REDIS_URL"]

    @property
    def times(self) -> Path:
        """The table of send times."""
        return self.folder / "times"

    @property
    def log(self) -> Path:
        """Where contenders write what they have to say."""
        return self.folder / "contenders.log"

    @contextlib.contextmanager
    def telling_why(self) -> Iterator[None]:
        """What goes wrong with a contender is in its log, which goes with the folder."""
        try:
            yield
        except Exception as error:
            error.add_note("The end of the log:\n" + self.log.read_text(errors="replace")[-3000:])
            raise

    def allow_frames(self, per_s: int) -> None:
        """Let each socket of the gateway have so many frames a second instead of its tier's 10."""
        change = f"Tier.objects.filter(name='enterprise').update(frames_per_s={per_s})"
        manage("shell", "-v0", "-c", f"from accounts.models import Tier; {change}", environ=self.environ)


@contextlib.contextmanager
def standing(database: str, nats_sync: str) -> Iterator[Ground]:
    """Bring it up and take it down.

    `database` is ``sqlite``, ``postgres`` (one of its own) or a URL; `nats_sync` is ``always``, as the
    embedded server has it, or ``default``: NATS' own, every two minutes.
    """
    # Unix sockets allow about 100 characters, so the folder's path is short.
    folder = Path(tempfile.mkdtemp(prefix="pgw-bench-", dir="/tmp"))
    try:
        with contextlib.ExitStack() as stack:
            yield _bring_up(folder, database, nats_sync, stack)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _bring_up(folder: Path, database: str, nats_sync: str, stack: contextlib.ExitStack) -> Ground:
    environ = dict(os.environ)
    pids = {}
    redis = embedded.valkey(folder / "valkey", embedded.free_port())
    nats = embedded.nats(folder / "nats", embedded.free_port())
    configuration = folder / "nats" / "nats.conf"
    nats_profile = tell_of_memory(configuration)
    if nats_sync == "default":
        configuration.write_text(configuration.read_text().replace(", sync_interval: always", ""))
    for server in (redis, nats):
        running = processes.running(
            server.command, environ=environ, log=folder / f"{server.name}.log", port=server.port
        )
        pids[server.name] = stack.enter_context(running)
    if database == "sqlite":
        url = f"sqlite:///{quote(str(folder / 'gateway.sqlite3'))}"
    elif database == "postgres":
        url, pids["postgres"] = _start_postgres(folder, stack)
    else:
        url = database
    environ |= {
        "DATABASE_URL": url,
        "REDIS_URL": redis.url,
        "NATS_URL": nats.url,
        "SECRET_KEY": secrets.token_urlsafe(50),
        "LOG_LEVEL": "WARNING",
    }
    manage("migrate", environ=environ)
    key = manage("create_key", "--account", "benchmark", "--tier", "enterprise", environ=environ)
    ground = Ground(folder, environ, pids, key.splitlines()[-1], nats_profile)
    send_times.create(ground.times)
    return ground


def tell_of_memory(configuration: Path) -> str:
    """Let the NATS of `configuration` tell of its memory, at the URL that is returned."""
    port = embedded.free_port()
    with configuration.open("a") as file:
        file.write(f"prof_port: {port}\n")
    return f"http://{embedded.LOOPBACK}:{port}"


def manage(*arguments: str, environ: dict[str, str]) -> str:
    """What a command of the gateway prints."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def _start_postgres(folder: Path, stack: contextlib.ExitStack) -> tuple[str, int]:
    """A Postgres as it comes, with its promise to lose nothing kept; URL and process id."""
    binaries = _postgres_binaries()
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    data, port = folder / "postgres", embedded.free_port()
    data.mkdir()
    folder.chmod(0o755)
    shutil.chown(data, user)
    subprocess.run(  # noqa: S603 - the command is initdb
        [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"],
        check=True,
        user=user,
        stdout=subprocess.DEVNULL,
        cwd=data,
    )
    options = ["-D", data, "-p", str(port), "-c", "unix_socket_directories=", "-c", "max_connections=200"]
    running = processes.running(
        [str(part) for part in (binaries / "postgres", *options)],
        environ={"PATH": os.environ["PATH"]},
        log=folder / "postgres.log",
        port=port,
        user=user,
    )
    return f"postgresql://postgres@{embedded.LOOPBACK}:{port}/postgres", stack.enter_context(running)


def _postgres_binaries() -> Path:
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    sys.exit("no Postgres is installed: give --database a URL, or sqlite")
