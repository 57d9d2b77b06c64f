"""Ends with 0 where the process of this container says that it is ready, with 1 otherwise.

``python docker/healthcheck.py PORT [PATH]``: the image has no curl, and no settings are loaded for this.
"""

from __future__ import annotations

import sys
from http.client import HTTPConnection, HTTPException

TIMEOUT_S = 4.0


def is_ready(port: int, path: str) -> bool:
    """True if ``GET path`` on loopback is answered with 200 in time."""
    # `localhost` is in ALLOWED_HOSTS of compose.yaml and of the Kubernetes files for this.
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    asked = sys.argv[2] if len(sys.argv) > 2 else "/health/ready"
    sys.exit(0 if is_ready(int(sys.argv[1]), asked) else 1)
