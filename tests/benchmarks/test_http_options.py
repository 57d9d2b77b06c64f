"""Sizes of measurements as options of a command line."""

from __future__ import annotations

import argparse

from benchmarks.http.options import Options
from benchmarks.side_by_side import options


def test_every_size_is_an_option_of_its_kind() -> None:
    parser = argparse.ArgumentParser()
    options.add_to(parser, Options)

    chosen = options.read(parser.parse_args(["--rounds", "7", "--updates", "2.5"]), Options)

    assert chosen == Options(rounds=7, updates=2.5)


def test_what_is_not_given_has_its_default() -> None:
    parser = argparse.ArgumentParser()
    options.add_to(parser, Options)

    assert options.read(parser.parse_args([]), Options) == Options()
