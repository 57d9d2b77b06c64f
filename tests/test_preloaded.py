"""A process that is forked is what the interpreter would have begun."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests import preloaded


def test_it_ends_with_the_status_and_the_words_of_the_command() -> None:
    status, output, errors = preloaded.run(["nonsense"], os.environ)
    assert (status, output) == (1, "")
    assert errors.startswith("Unknown command: 'nonsense'")
    status, output, errors = preloaded.run(["version", "--version"], os.environ)
    assert (status, errors) == (0, "")
    assert output


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_ends_it_as_any_child(number: signal.Signals) -> None:
    process = preloaded.start(["shell", "-c", "import time; time.sleep(60)"], os.environ)
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.01)
    process.send_signal(number)
    assert process.wait(timeout=60) == process.poll() == -number


def test_its_environment_and_descriptors_are_its_own() -> None:
    code = "import os, sys; print(os.environ['WHO'], len(os.listdir('/proc/self/fd')), sys.argv[1])"
    for who in ("one", "other"):
        status, output, errors = preloaded.run(["shell", "-c", code], {**os.environ, "WHO": who})
        assert (status, errors) == (0, "")
        name, descriptors, command = output.split()[-3:]
        assert (name, command) == (who, "shell")
        assert int(descriptors) < 10


def test_an_environment_that_speaks_to_the_interpreter_is_heard_by_one() -> None:
    code = "import sys; print(sys.flags.utf8_mode)"
    status, output, _ = preloaded.run(["shell", "-c", code], {**os.environ, "PYTHONUTF8": "1"})
    assert (status, output.split()[-1]) == (0, "1")
