"""`manage.py serve` and `up` refuse ports that cannot be, with the way out; what their sockets are like."""

from __future__ import annotations

import socket

import pytest
from django.core.management import CommandError, call_command

from gateway_project import embedded, server


@pytest.mark.parametrize("workers", [None, 2])
def test_a_busy_port_names_the_next_one(workers: int | None) -> None:
    with socket.create_server((embedded.LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CommandError, match=f"manage.py serve --port {port + 1}"):
            call_command("serve", port=port, workers=workers)


def test_ports_out_of_range_are_refused() -> None:
    with pytest.raises(CommandError, match="between 0"):
        call_command("serve", port=70_000)
    with pytest.raises(CommandError, match="between 1 and 65535"):
        call_command("up", port=0)


@pytest.mark.parametrize("workers", [-1, 0, 65])
def test_too_few_and_too_many_workers_are_refused(workers: int) -> None:
    with pytest.raises(CommandError, match="--workers must be between 1 and 64"):
        call_command("serve", workers=workers)


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(CommandError, match="invalid choice: 'both'"):
        call_command("serve", "--role", "both")


def test_a_port_is_reserved_by_one_launcher_even_before_its_workers_listen() -> None:
    with server.reserve(embedded.LOOPBACK, 0) as reserved:
        port = reserved.getsockname()[1]
        for another in (server.reserve, server.bind):
            with pytest.raises(server.PortBusy, match=f"port {port} on"):
                another(embedded.LOOPBACK, port)
        with server.share(reserved) as first, server.share(reserved) as second:
            first.listen()
            second.listen()
            with pytest.raises(server.PortBusy):
                server.reserve(embedded.LOOPBACK, port)
    server.bind(embedded.LOOPBACK, port).close()


def test_a_port_can_be_reserved_again_although_connections_of_the_last_run_linger() -> None:
    for make in (server.bind, server.reserve, server.bind):
        with make(embedded.LOOPBACK, 0) as last, server.share(last) if make is server.reserve else last as at:
            at.listen()
            port = at.getsockname()[1]
            at.setblocking(True)
            with socket.create_connection((embedded.LOOPBACK, port)):
                accepted, _ = at.accept()
                accepted.close()  # the first to close is the one that lingers
        server.reserve(embedded.LOOPBACK, port).close()
        server.bind(embedded.LOOPBACK, port).close()


@pytest.mark.parametrize("shared", [False, True])
def test_accepted_connections_cost_the_kernel_a_bounded_time_and_memory(shared: bool) -> None:
    with server.reserve(embedded.LOOPBACK, 0) as reserved:
        listener = server.share(reserved) if shared else server.bind(embedded.LOOPBACK, 0)
        with listener:
            listener.listen()
            listener.setblocking(True)
            with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 128 * 1024
