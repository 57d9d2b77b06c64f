"""How long a newcomer waits: from an empty folder to the first answer, and to the first live update.

Does what README.md says, with its own lines: clone, `make run`, the first `curl`, the Python program that
listens. Packages are downloaded anew. Needs git, make, curl and Python; nothing has to be installed before:

    python3 benchmarks/first_call.py
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
DEADLINE_S = 900.0


def main() -> None:
    """Print each step with the seconds since the beginning."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default=str(PROJECT), help="what to clone; default: this repository")
    parser.add_argument("--most-s", type=float, default=300.0, help="exit with 1 beyond this; default 300")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as empty:
        begun = time.monotonic()
        clone = Path(empty, "gateway")
        subprocess.run(["git", "clone", "--quiet", options.source, clone], check=True)  # noqa: S603, S607
        _tell(begun, "cloned")
        port = _free_port()
        with _running(clone, port):
            steps = _Steps(clone, port)
            price = steps.first_call()
            _tell(begun, f"first successful call: AAPL, predicted_price {price}")
            steps.first_live_update()
            took_s = _tell(begun, "first live update")
    sys.exit(took_s > options.most_s)


class _Steps:
    """The lines of README.md, for a gateway at `port`."""

    def __init__(self, clone: Path, port: int) -> None:
        readme = (clone / "README.md").read_text(encoding="utf-8")
        blocks = re.findall(
            r"^```(sh|python)\n(KEY=.*?|import json.*?)^```", readme, re.MULTILINE | re.DOTALL
        )
        self._samples = {kind: text.replace(":8000", f":{port}") for kind, text in blocks}
        self._clone = clone

    def first_call(self) -> float:
        """Make the first `curl` of the document until it succeeds; the price in the answer."""
        key_line, curl_line = self._samples["sh"].splitlines()[:2]
        command = ["sh", "-c", f"{key_line}\n{curl_line.replace('curl', 'curl --fail', 1)}"]
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            answer = subprocess.run(command, cwd=self._clone, capture_output=True, text=True, check=False)  # noqa: S603
            if answer.returncode == 0 and answer.stdout:
                return float(json.loads(answer.stdout)["predicted_price"])
            time.sleep(0.1)
        raise TimeoutError(f"no successful call within {DEADLINE_S:.0f} s; the last one: {answer.stderr}")

    def first_live_update(self) -> None:
        """Run the program of the document until it prints an update that is news."""
        command = [self._clone / ".venv/bin/python", "-u", "-c", self._samples["python"]]
        with subprocess.Popen(command, cwd=self._clone, stdout=subprocess.PIPE, text=True) as program:  # noqa: S603
            for line in program.stdout or ():
                frame = json.loads(line)
                updates = frame.get("updates", [frame])
                if any(one["type"] == "prediction_update" and "snapshot" not in one for one in updates):
                    program.terminate()
                    return
        raise ConnectionError("the program of README.md ended without an update")


@contextlib.contextmanager
def _running(clone: Path, port: int) -> Iterator[None]:
    """`make run`, without what pip has kept; ended as by Ctrl-C."""
    environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    with tempfile.TemporaryFile() as printed:
        running = subprocess.Popen(  # noqa: S603
            ["make", "run", f"PORT={port}"],  # noqa: S607
            cwd=clone,
            env={**environ, "PIP_NO_CACHE_DIR": "1"},
            stdout=printed,
            stderr=printed,
            start_new_session=True,
        )
        try:
            yield
        except BaseException:
            printed.seek(0)
            sys.stderr.write(printed.read().decode()[-4000:])
            raise
        finally:
            os.killpg(running.pid, signal.SIGINT)
            running.wait(timeout=60)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _tell(begun: float, what: str) -> float:
    took_s = time.monotonic() - begun
    sys.stdout.write(f"{took_s:6.1f} s  {what}\n")
    sys.stdout.flush()
    return took_s


if __name__ == "__main__":
    main()
