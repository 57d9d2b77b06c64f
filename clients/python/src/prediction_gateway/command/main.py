"""What ``pgw`` understands, and how it ends: one line on stderr and an exit status, never a traceback."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from prediction_gateway.client import Client
from prediction_gateway.command import explain, get, replay, watch, wording
from prediction_gateway.errors import ConnectionFailedError, GatewayError
from prediction_gateway.settings import DEFAULT_URL
from prediction_gateway.version import __version__

REFUSED, USAGE, NO_ANSWER, BROKEN_PIPE, INTERRUPTED = 1, 2, 3, 141, 130
_EPILOG = """\
The API key comes from the environment variable PGW_API_KEY or from --key-file; it cannot be given as an
argument, because every user of the machine can read the arguments of a running program.

Exit status: 0 well, 1 the gateway refused or there is nothing, 2 wrong usage, 3 no answer, 130 Ctrl-C,
141 the reader of the pipe has gone.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = _parser().parse_args(arguments)
    try:
        with Client(options.url, _read_key(options.key_file)) as client:
            status: int = options.run(client, options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except ConnectionFailedError as error:
        return _fail(error, NO_ANSWER)
    except GatewayError as error:
        return _fail(error, REFUSED)
    except (ValueError, OSError) as error:
        return _fail(error, USAGE)
    return status


def _fail(error: Exception, status: int) -> int:
    print(wording.shown(f"pgw: {error}"), file=sys.stderr)
    return status


def _read_key(path: Path | None) -> str | None:
    return None if path is None else path.read_text(encoding="utf-8").strip()


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--url", help=f"of the gateway (default: PGW_URL, else {DEFAULT_URL})")
    shared.add_argument("--key-file", type=Path, help="a file with the API key (default: PGW_API_KEY)")
    shared.add_argument("--json", action="store_true", help="one JSON object a line")
    parser = argparse.ArgumentParser(
        prog="pgw",
        description="Predictions of a Prediction Gateway at the terminal.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pgw {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in (("get", get), ("watch", watch), ("explain", explain), ("replay", replay)):
        told = (module.__doc__ or "").splitlines()[0]
        command = commands.add_parser(
            name,
            parents=[shared],
            help=told,
            description=told,
            epilog=_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
