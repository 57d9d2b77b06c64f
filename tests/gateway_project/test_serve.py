"""`manage.py serve` and `up` refuse ports that cannot be, with the way out."""

from __future__ import annotations

import socket

import pytest
from django.core.management import CommandError, call_command

from gateway_project import embedded


def test_a_busy_port_names_the_next_one() -> None:
    with socket.create_server((embedded.LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CommandError, match=f"manage.py serve --port {port + 1}"):
            call_command("serve", port=port)


def test_ports_out_of_range_are_refused() -> None:
    with pytest.raises(CommandError, match="between 0"):
        call_command("serve", port=70_000)
    with pytest.raises(CommandError, match="between 1 and 65535"):
        call_command("up", port=0)
