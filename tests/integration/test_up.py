"""`manage.py up` as a new user meets it: SQLite, embedded servers, the replay, and the printed lines."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.sync.client import connect

from gateway_project import embedded
from tests.stack import ROOT, eventually, receive, send


class Up:
    """A running `manage.py up` and what it has printed so far."""

    def __init__(self, folder: Path, port: int, *options: str) -> None:
        environ = {k: v for k, v in os.environ.items() if not k.endswith("_URL") and k != "SECRET_KEY"}
        command = [sys.executable, str(ROOT / "manage.py"), "up", "--port", str(port)]
        self.process = subprocess.Popen(
            [*command, "--data", str(folder), *options],
            env=environ,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.printed = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed += line
        self.process.stdout.close()

    def wait_for(self, text: str, timeout_s: float = 60.0) -> None:
        """Wait until `text` was printed."""
        eventually(lambda: text in self.printed or self.process.poll() is not None, timeout_s=timeout_s)
        assert text in self.printed, self.printed

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; returns the exit status after everything was printed."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self._reader.join()
        return code


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Up]]:
    ups: list[Up] = []
    yield ups
    for up in ups:
        if up.process.poll() is None:
            up.end()


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that work in `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environ = (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command or f"DATA_DIR={folder}" in environ:
            found.append(command)
    return found


def ports_of(folder: Path) -> list[int]:
    """Where the stack in `folder` listens. (Valkey hides from `processes_of`: it rewrites its title.)"""
    endpoints = json.loads((folder / "endpoints.json").read_text())
    return [urlsplit(endpoints[name]).port or 0 for name in ("http", "nats", "redis")]


def test_from_an_empty_folder_to_answers_and_back_to_nothing(tmp_path: Path, started: list[Up]) -> None:
    folder, port = tmp_path / "data", embedded.free_port()
    url = f"http://127.0.0.1:{port}"
    first = Up(folder, port)
    started.append(first)
    first.wait_for("Ctrl-C stops everything")

    key = _check_greeting(first, url)
    _check_files(folder, url)
    _check_other_commands_find_it(folder, url)
    _check_socket(url, key)
    _check_second_start_is_refused(folder, port)
    _check_a_dead_child_is_restarted(first, folder)

    newest = httpx.get(f"{url}/api/prediction/IBM").json()
    ports = ports_of(folder)
    assert first.end(signal.SIGINT) == 0
    assert processes_of(folder) == []
    assert not any(map(embedded.is_listening, ports))
    assert not (folder / "endpoints.json").exists()
    assert "Traceback" not in first.printed

    second = Up(folder, port, "--no-feed")
    started.append(second)
    second.wait_for("Ctrl-C stops everything")
    assert key in second.printed
    assert "password was shown at the first start" in second.printed
    kept = httpx.get(f"{url}/api/prediction/IBM").json()
    assert kept["seq"] >= newest["seq"]
    # Redis has started empty: these come from SQLite, one symbol alone and several at once.
    several = httpx.get(f"{url}/api/predictions?symbols=AAPL,MSFT").json()
    assert sorted(several["predictions"]) == ["AAPL", "MSFT"]
    assert second.end(signal.SIGTERM) == 0
    assert processes_of(folder) == []


def _check_greeting(up: Up, url: str) -> str:
    """The four curl lines work as printed; the admin's password logs in. Returns the key."""
    lines = [line.strip() for line in up.printed.splitlines() if line.startswith("  curl ")]
    assert len(lines) == 4
    answers = [
        json.loads(subprocess.run(line, shell=True, check=True, capture_output=True).stdout)  # noqa: S602
        for line in lines
    ]
    assert answers[0]["symbol"] == "AAPL"
    assert answers[0]["model_version"].startswith("replay-")
    assert {"AAPL", "IBM", "MSFT"} == {*answers[1]["predictions"], *answers[1]["missing"]}
    assert answers[2]["data"][0]["symbol"] == "AAPL"
    assert answers[3]["summary"].startswith("This is a replay of historical data")
    dashboard = httpx.get(f"{url}/").text
    assert f"live    {url}/" in up.printed
    shown = re.search(r'data-key="(pgw_live_\w+)"', dashboard)
    assert shown
    shared = {"X-API-Key": shown[1]}
    assert httpx.get(f"{url}/api/symbols", headers=shared).status_code == 200
    assert httpx.get(f"{url}/auth/profile", headers=shared).json()["error"] == "FORBIDDEN"
    assert f"npx --yes wscat -c 'ws://{url.removeprefix('http://')}/ws/predictions'" in up.printed

    password = re.search(r"user admin, password (\S+)", up.printed)
    assert password
    with httpx.Client(base_url=url, follow_redirects=True) as browser:
        page = browser.get("/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert token
        form = {"username": "admin", "password": password[1], "csrfmiddlewaretoken": token[1]}
        home = browser.post("/admin/login/?next=/admin/", data=form)
        assert "Log out" in home.text
    key = re.search(r"key +(pgw_live_\w+)", up.printed)
    assert key
    return key[1]


def _check_files(folder: Path, url: str) -> None:
    endpoints = json.loads((folder / "endpoints.json").read_text())
    assert endpoints["http"] == url
    assert endpoints["database"].startswith("sqlite:///")
    assert set(endpoints) == {"http", "nats", "redis", "database"}
    assert folder.stat().st_mode & 0o777 == 0o700
    for name in ("endpoints.json", "secret_key", "demo_key", "dashboard_key"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert "sync_interval: always" in (folder / "nats" / "nats.conf").read_text()


def _manage(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.endswith("_URL") and k != "SECRET_KEY"}
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=environ | {"DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _check_other_commands_find_it(folder: Path, url: str) -> None:
    made = _manage(folder, "create_key", "--account", "me", "--tier", "pro")
    key = made.stdout.splitlines()[-1]
    answer = httpx.get(f"{url}/api/prediction/AAPL", headers={"X-API-Key": key})
    assert answer.status_code == 200


def _check_socket(url: str, key: str) -> None:
    """A subscriber sees the replay: the published numbers, newer each time."""
    with connect(
        url.replace("http", "ws") + "/ws/predictions", additional_headers={"X-API-Key": key}
    ) as opened:
        assert receive(opened)["type"] == "welcome"
        send(opened, action="subscribe", symbols=["AAPL"])
        assert receive(opened)["type"] == "subscribed"
        frames = [receive(opened) for _ in range(3)]
    assert [frame.get("snapshot", False) for frame in frames] == [True, False, False]
    assert frames[0]["as_of"] < frames[1]["as_of"] < frames[2]["as_of"]


def _check_second_start_is_refused(folder: Path, port: int) -> None:
    again = _manage(folder, "up", "--data", str(folder), "--port", str(port + 1))
    assert again.returncode == 1
    assert f"already runs in {folder}, at http://127.0.0.1:{port}" in again.stderr
    assert "--data DIR --port N" in again.stderr


def _check_a_dead_child_is_restarted(up: Up, folder: Path) -> None:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            environ = (entry / "environ").read_bytes()
        except OSError:
            continue
        if b"nats_bridge" in command and str(folder).encode() in environ:
            os.kill(int(entry.name), signal.SIGKILL)
    up.wait_for("bridge ended (signal SIGKILL); starting it again in")
    eventually(lambda: any("nats_bridge" in command for command in processes_of(folder)))


def test_a_busy_port_is_told_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server((embedded.LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        refused = _manage(tmp_path, "up", "--data", str(tmp_path / "d"), "--port", str(port))
    assert refused.returncode == 1
    assert f"port {port} on 127.0.0.1 cannot be used" in refused.stderr
    assert f"make run PORT={port + 1}" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert processes_of(tmp_path) == []


def test_a_killed_supervisor_leaves_no_process_behind(tmp_path: Path, started: list[Up]) -> None:
    folder = tmp_path / "data"
    up = Up(folder, embedded.free_port(), "--no-feed")
    started.append(up)
    up.wait_for("Ctrl-C stops everything")
    ports = ports_of(folder)
    assert len(processes_of(folder)) >= 4
    assert all(map(embedded.is_listening, ports))
    up.process.kill()
    up.process.wait()
    eventually(lambda: not processes_of(folder))
    eventually(lambda: not any(map(embedded.is_listening, ports)))


def test_given_urls_replace_the_embedded_servers(tmp_path: Path, nats_url: str) -> None:
    from tests.servers import running_valkey

    port = embedded.free_port()
    with running_valkey() as valkey:
        environ = os.environ | {"REDIS_URL": valkey.url, "NATS_URL": nats_url}
        environ.pop("DATABASE_URL")
        command = [sys.executable, str(ROOT / "manage.py"), "up"]
        process = subprocess.Popen(
            [*command, "--port", str(port), "--data", str(tmp_path / "d"), "--no-feed"],
            env=environ,
            stdout=subprocess.DEVNULL,
        )
        try:
            endpoints = tmp_path / "d" / "endpoints.json"
            eventually(endpoints.exists)
            told = json.loads(endpoints.read_text())
            assert (told["redis"], told["nats"]) == (valkey.url, nats_url)
            commands = " ".join(processes_of(tmp_path / "d"))
            assert "nats-server" not in commands
            assert "valkey" not in commands
        finally:
            process.terminate()
            assert process.wait(timeout=60) == 0
