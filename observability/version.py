"""Which build this is."""

from __future__ import annotations

import os

NAME = "prediction-gateway"
VERSION = "0.1.0"
COMMIT = os.environ.get("GATEWAY_COMMIT", "unknown")[:40]
"""Set when an image is built."""
