"""OWASP API9: nothing answers that the contract does not name.

The same set of routes in code, table and document is in tests/gateway_project/test_routes.py and
tests/contract/test_openapi.py.
"""

from __future__ import annotations

import pytest

from tests.integration.rest import assert_problem
from tests.stack import Stack

FORGOTTEN = [
    "/v0/api/prediction/AAPL",
    "/api/v0/prediction/AAPL",
    "/api/v2/prediction/AAPL",
    "/api/internal/prediction/AAPL",
    "/api/beta/symbols",
    "/api/",
    "/graphql",
    "/debug",
    "/__debug__/",
    "/silk/",
    "/console",
    "/actuator/env",
    "/server-status",
    "/phpinfo.php",
    "/.git/HEAD",
    "/.env",
    "/gateway.yaml",
    "/.data/secret_key",
    "/manage.py",
    "/static/",
    "/static/admin/",
    "/media/",
    "/api-auth/login/",
    "/accounts/login/",
    "/wp-login.php",
    "/swagger.json",
    "/backup.sql",
    "/test",
]


@pytest.mark.parametrize("path", FORGOTTEN)
def test_404_for_what_scanners_look_for(stack: Stack, path: str) -> None:
    assert_problem(stack.get(path), 404, "NOT_FOUND")
