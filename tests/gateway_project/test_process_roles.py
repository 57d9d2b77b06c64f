"""Which role answers what."""

from __future__ import annotations

import pytest

from gateway_project import process_roles


@pytest.mark.parametrize(
    ("path", "by_ws"),
    [
        ("/health", True),
        ("/health/live", True),
        ("/health/ready", True),
        ("/liveness", True),
        ("/readiness", True),
        ("/version", True),
        ("/metrics", True),
        ("/", False),
        ("/healthy", False),
        ("/versions", False),
        ("/api/predictions", False),
        ("/auth/login", False),
        ("/admin/", False),
        ("/ws/predictions", False),
    ],
)
def test_a_process_for_sockets_answers_only_its_watchers_over_http(path: str, by_ws: bool) -> None:
    answered = {role: process_roles.answers_http(role, path) for role in ("all", "web", "ws")}
    assert answered == {"all": True, "web": True, "ws": by_ws}


def test_a_process_for_http_answers_no_sockets() -> None:
    assert {role: process_roles.answers_sockets(role) for role in ("all", "web", "ws")} == {
        "all": True,
        "web": False,
        "ws": True,
    }
