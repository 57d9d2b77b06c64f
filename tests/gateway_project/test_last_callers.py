"""A port that is about to close: who is queued stays, who comes now is not answered, then refused."""

from __future__ import annotations

import socket
import sys

import pytest

from gateway_project import embedded, last_callers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a filter of Linux")


def test_who_is_queued_stays_and_who_comes_later_is_refused_once_the_port_is_closed() -> None:
    with socket.create_server((embedded.LOOPBACK, 0)) as listener:
        place = listener.getsockname()
        with socket.create_connection(place, timeout=60) as early, socket.socket() as late:
            last_callers.let_nobody_begin(listener)
            late.settimeout(0.1)
            with pytest.raises(TimeoutError):
                late.connect(place)
            early.sendall(b"here")
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.recv(4) == b"here"
                accepted.sendall(b"heard")
                assert early.recv(5) == b"heard"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place, timeout=60)


def test_a_copy_in_other_hands_lets_nobody_begin_either() -> None:
    with socket.create_server((embedded.LOOPBACK, 0)) as listener, listener.dup() as copy:
        last_callers.let_nobody_begin(copy)
        with pytest.raises(TimeoutError):
            socket.create_connection(listener.getsockname(), timeout=0.1)
