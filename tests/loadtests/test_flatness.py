"""Lines through samples, and what passes for flat."""

from __future__ import annotations

import random

import pytest
from django.apps import apps

from loadtests.soak.flatness import BOUNDS, Kind, Series, look
from loadtests.soak.sampling import GROWING_TABLES
from loadtests.soak.telling import tell


def series(kind: Kind | None, per_hour: float, *, noise: float = 0.0, count: int = 60) -> Series:
    """Samples every ten seconds, the first fifth of them a steep rise that does not count."""
    chance = random.Random(7)
    points = [
        (10.0 * n, (n * 5.0 if n < count // 5 else 100.0) + per_hour * n / 360 + chance.gauss(0, noise))
        for n in range(count)
    ]
    return Series("it", kind, points)


@pytest.mark.parametrize("kind", list(BOUNDS))
def test_what_rises_faster_than_its_bound_is_not_flat(kind: Kind) -> None:
    assert look(series(kind, BOUNDS[kind] * 0.9)).is_flat
    assert not look(series(kind, BOUNDS[kind] * 1.1)).is_flat


def test_what_falls_is_flat() -> None:
    assert look(series("memory", -1000.0)).is_flat


def test_noise_alone_is_no_rise_and_does_not_hide_one() -> None:
    assert look(series("memory", 0.0, noise=5.0)).is_flat
    assert not look(series("memory", 600.0, noise=5.0)).is_flat


def test_memory_that_is_given_back_in_steps_is_flat_unless_its_lows_rise() -> None:
    def saw(per_hour: float) -> Series:
        teeth = [(10.0 * n, 30.0 + 20.0 * (n % 50) / 50 + per_hour * n / 360) for n in range(180)]
        return Series("it", "memory", teeth)

    assert look(saw(0.0)).is_flat
    assert not look(saw(150.0)).is_flat


def test_the_line_is_right() -> None:
    verdict = look(series("memory", 12.0))

    assert verdict.per_hour == pytest.approx(12.0)
    assert verdict.error == pytest.approx(0.0, abs=1e-6)


def test_what_grows_by_design_passes_however_fast() -> None:
    assert look(series(None, 1e9)).is_flat


def test_too_few_samples_are_refused_rather_than_called_flat() -> None:
    with pytest.raises(ValueError, match="too few"):
        look(series("rows", 0.0, count=5))


def test_every_table_that_grows_by_design_is_there() -> None:
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}

    assert tables >= GROWING_TABLES
    assert {"outbox", "accounts_account", "django_session"} <= tables - GROWING_TABLES


def test_what_rises_is_told_apart_from_what_grows_by_design() -> None:
    told = tell([look(series("rows", 0.0)), look(series("memory", 300.0)), look(series(None, 50.0))])

    assert "2 series must be flat; 1 rose" in told
    assert told.count("**RISES**") == 1
    assert told.count("| flat") == 1
    assert told.count("+50.0") == 1
