"""`manage.py up`: the whole gateway on one machine, with real servers and a replay of real market data.

The order of things: folder, port, servers, database, first account, roles, and only when a first
prediction can be read, the lines to try it with.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from django.utils import timezone

from accounts.actions import IssuedKey, issue_key_by_names
from accounts.credentials import CredentialRefused, authenticate
from accounts.visitors import issue_visitors_key
from events.connection import without_secrets
from gateway_project import config as gateway_config
from gateway_project import data_folder, embedded, server
from gateway_project.embedded import EmbeddedServer
from gateway_project.supervisor import Supervisor

ADMIN = "admin"
_ACTOR = "command up"
_FIRST_SYMBOL = "AAPL"
_READY_TIMEOUT_S = 30.0


class Command(BaseCommand):
    """Run servers, web, bridge, worker and the replay until Ctrl-C or SIGTERM."""

    help = "Run the whole gateway on this machine: servers, web, bridge, worker and a replay of real data."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="HTTP port on 127.0.0.1")
        parser.add_argument("--data", metavar="DIR", help="folder of the servers (default .data)")
        parser.add_argument("--no-feed", action="store_true", help="do not replay market data")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = settings.GATEWAY.data_dir
        if not 1 <= options["port"] <= 65535:
            raise CommandError("--port must be between 1 and 65535")
        try:
            held = data_folder.lock(folder)
        except data_folder.FolderInUse:
            running = gateway_config.read_endpoints(folder).get("http", "another port")
            raise CommandError(
                f"a gateway already runs in {folder}, at {running}. Stop it first, or start a second "
                "one beside it: `manage.py up --data DIR --port N`."
            ) from None
        with held:
            try:
                server.bind(embedded.LOOPBACK, options["port"]).close()
                asyncio.run(self._run(folder, options["port"], feed=not options["no_feed"]))
            except (server.PortBusy, embedded.MissingServer) as error:
                raise CommandError(str(error)) from None
            finally:
                data_folder.remove_endpoints(folder)

    async def _run(self, folder: Path, port: int, *, feed: bool) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, stop.set)
        supervisor = Supervisor(self._say)
        starting = asyncio.create_task(self._start(supervisor, folder, port, feed=feed))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
            await stop.wait()
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            self._say("stopping …")
            await supervisor.stop()
            self._say("stopped; the data stays in " + str(folder))

    async def _start(self, supervisor: Supervisor, folder: Path, port: int, *, feed: bool) -> None:
        self._say(f"starting the gateway; its data is in {folder}")
        endpoints = await self._start_servers(supervisor, folder)
        endpoints["http"] = f"http://{embedded.LOOPBACK}:{port}"
        self._say("preparing the database …")
        try:
            password, key, dashboard_key = await asyncio.to_thread(_prepare_database, folder)
        except OperationalError as error:
            place = without_secrets(endpoints["database"])
            raise CommandError(f"the database at {place} (DATABASE_URL) cannot be used: {error}") from None
        data_folder.write_endpoints(folder, endpoints)
        environ = {
            "ENVIRONMENT": "demo",
            **os.environ,
            "DATA_DIR": str(folder),
            "DATABASE_URL": endpoints["database"],
            "REDIS_URL": endpoints["redis"],
            "NATS_URL": endpoints["nats"],
            "DASHBOARD_KEY": dashboard_key,
        }
        manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
        await supervisor.start("web", [*manage, "serve", "--port", str(port)], environ)
        await supervisor.start("bridge", [*manage, "nats_bridge"], environ)
        await supervisor.start("worker", [*manage, "explain_worker"], environ)
        if feed:
            replay = ["replay_market", "--loop", "--start", "2010-01-04", "--speed", "1"]
            await supervisor.start("replay", [*manage, *replay], environ)
        ready = await self._wait_until_ready(endpoints["http"], key, feed=feed)
        self._greet(endpoints["http"], key, password, feed=feed)
        if not ready:
            self._say(
                f"WARNING: no prediction has come through in {_READY_TIMEOUT_S:.0f} s. Does NATS answer at "
                f"{without_secrets(endpoints['nats'])}, and Redis at {without_secrets(endpoints['redis'])}?"
            )

    async def _start_servers(self, supervisor: Supervisor, folder: Path) -> dict[str, str]:
        """Start the embedded servers that no URL replaces; returns the URLs of all three."""
        config = settings.GATEWAY
        given = gateway_config.given_settings(settings.BASE_DIR, os.environ)
        endpoints = {
            "database": config.database_url,
            "redis": config.redis_url,
            "nats": config.nats_url,
        }
        servers: list[EmbeddedServer] = []
        if "nats_url" not in given:
            servers.append(embedded.nats(folder / "nats", embedded.free_port()))
        if "redis_url" not in given:
            servers.append(embedded.valkey(folder / "valkey", embedded.free_port()))
        for one in servers:
            await supervisor.start(one.name, one.command, os.environ)
            endpoints["nats" if one.name == "nats" else "redis"] = one.url
        for one in servers:
            if not await asyncio.to_thread(embedded.wait_until_listening, one.port):
                raise CommandError(f"{one.name} does not start; see its log in {folder / one.name}")
        return endpoints

    async def _wait_until_ready(self, url: str, key: str, *, feed: bool) -> bool:
        """Wait until a first prediction can be read, so that the lines printed next work at once."""
        path = f"/api/prediction/{_FIRST_SYMBOL}" if feed else "/health/ready"
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not await asyncio.to_thread(_answers, url + path, key):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.1)
        return True

    def _greet(self, url: str, key: str, password: str | None, *, feed: bool) -> None:
        socket_url = url.replace("http://", "ws://")
        told = (
            f"user {ADMIN}, password {password}  (shown this once)"
            if password
            else f"user {ADMIN}; the password was shown at the first start "
            f"(new one: {_relative_python()} manage.py changepassword {ADMIN})"
        )
        explain = (
            f"curl -s -w '\\n' -H 'X-API-Key: {key}' -H 'Prefer: wait=10' "
            """-H 'Content-Type: application/json' -d '{"depth":"fast"}'"""
        )
        subscribe = '{"action":"subscribe","symbols":["AAPL","MSFT"]}'
        replayed = "a replay of real daily bars (2000-2013), labelled as such" if feed else "no feed"
        self.stdout.write(
            f"""
Prediction Gateway is running at {url}   [{replayed}]

  live    {url}/   the dashboard
  key     {key}

  curl -s -w '\\n' -H 'X-API-Key: {key}' '{url}/api/prediction/AAPL'
  curl -s -w '\\n' -H 'X-API-Key: {key}' '{url}/api/predictions?symbols=AAPL,MSFT,IBM'
  curl -s -w '\\n' -H 'X-API-Key: {key}' '{url}/api/prediction/AAPL/history?limit=5'
  {explain} '{url}/api/explanation/AAPL'

  npx --yes wscat -c '{socket_url}/ws/predictions' -H 'X-API-Key: {key}' -w 30 -x '{subscribe}'

  admin   {url}/admin/   {told}

Ctrl-C stops everything.
"""
        )
        self.stdout.flush()

    def _say(self, text: str) -> None:
        self.stdout.write(f"gateway: {text}")
        self.stdout.flush()


def _prepare_database(folder: Path) -> tuple[str | None, str, str]:
    """Migrate; make the first admin and two keys. Returns a new admin's password and those keys."""
    call_command("migrate", verbosity=0, interactive=False)
    users = get_user_model().objects
    password = None
    if not users.filter(username=ADMIN).exists():
        password = secrets.token_urlsafe(12)
        users.create_superuser(ADMIN, password=password)
    key = _kept_key(data_folder.demo_key_file(folder), _issue_demo_key)
    given: str = settings.GATEWAY.dashboard_key
    shown = given or _kept_key(data_folder.dashboard_key_file(folder), _issue_dashboard_key)
    return password, key, shown


def _kept_key(path: Path, issue: Callable[[], IssuedKey]) -> str:
    """The key in the file `path`, or a new one where it does not work in this database."""
    try:
        key = path.read_text().strip()
        authenticate(key, now=timezone.now(), address=embedded.LOOPBACK)
    except (OSError, UnicodeDecodeError, CredentialRefused):
        key = issue().secret
        data_folder.write_private(path, key)
    return key


def _issue_demo_key() -> IssuedKey:
    return issue_key_by_names(
        account_name="demo",
        tier_name="enterprise",
        key_name="manage.py up",
        actor=_ACTOR,
        now=timezone.now(),
    )


def _issue_dashboard_key() -> IssuedKey:
    return issue_visitors_key(actor=_ACTOR, now=timezone.now())


def _answers(url: str, key: str) -> bool:
    request = urllib.request.Request(url, headers={"X-API-Key": key})  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request, timeout=2):  # noqa: S310 # nosec B310 - our own address
            return True
    except (OSError, urllib.error.URLError):
        return False


def _relative_python() -> str:
    path = Path(sys.executable)
    try:
        return str(path.relative_to(settings.BASE_DIR))
    except ValueError:
        return str(path)
