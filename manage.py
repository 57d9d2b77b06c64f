#!/usr/bin/env python3
"""Django's command line; a wrong configuration ends in one sentence instead of a trace."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path


def main() -> None:
    """Run the command that the arguments name."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
    # While modules load, nothing is garbage: looking for some takes a sixth of the time of a start.
    gc.disable()
    try:
        import django
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed in this Python. Run `make run` once, then use .venv/bin/python.")
    from gateway_project import data_folder
    from gateway_project.config import ConfigurationError

    try:
        if sys.argv[1:2] == ["up"]:
            data_folder.choose(sys.argv[2:], Path(__file__).resolve().parent)
        django.setup()
        gc.enable()
        execute_from_command_line(sys.argv)
    except ConfigurationError as error:
        sys.exit(f"configuration: {error}")


if __name__ == "__main__":
    main()
