"""What Django's models and cache do, for Prometheus, in the metrics of django-prometheus.

Its mixin for models would hide the fields of a model from the type checker and miss what the admin deletes in
bulk, so signals count instead. Its cache wants django-redis, which has no other use here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache
from django.db.models import Model
from django.db.models.signals import post_delete, post_save
from django_prometheus.cache.metrics import (
    django_cache_get_fail_total,
    django_cache_get_total,
    django_cache_hits_total,
    django_cache_misses_total,
)
from django_prometheus.models import model_deletes, model_inserts, model_updates

# Those that staff change. Others are written by statements of ours, or deleted by the thousand: to be told of
# each, Django would have to read them first.
COUNTED = ("accounts.Account", "accounts.User", "accounts.ApiKey", "accounts.Tier", "accounts.Limit")
_BACKEND = "redis"
for _counter in (
    django_cache_get_total,
    django_cache_hits_total,
    django_cache_misses_total,
    django_cache_get_fail_total,
):
    _counter.labels(_BACKEND)


def count_models() -> None:
    """From now on, what happens to the models that staff change is counted."""
    for place in COUNTED:
        model = apps.get_model(place)
        for counter in (model_inserts, model_updates, model_deletes):
            counter.labels(_name_of(model))
        post_save.connect(_count_save, sender=model)
        post_delete.connect(_count_delete, sender=model)


class CountedCache(RedisCache):
    """Django's cache in Redis; counts how look-ups end: `get`, and `add`, which looks before it sets."""

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """As Django's."""
        nothing = object()
        with _counted_errors():
            found = super().get(key, nothing, version)
        _count_look_up(is_hit=found is not nothing)
        return default if found is nothing else found

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """As Django's."""
        with _counted_errors():
            is_new = super().add(key, value, timeout, version)
        _count_look_up(is_hit=not is_new)
        return is_new


@contextlib.contextmanager
def _counted_errors() -> Iterator[None]:
    django_cache_get_total.labels(_BACKEND).inc()
    try:
        yield
    except Exception:
        django_cache_get_fail_total.labels(_BACKEND).inc()
        raise


def _count_look_up(*, is_hit: bool) -> None:
    (django_cache_hits_total if is_hit else django_cache_misses_total).labels(_BACKEND).inc()


def _count_save(sender: type[Model], *, created: bool, **_: Any) -> None:
    (model_inserts if created else model_updates).labels(_name_of(sender)).inc()


def _count_delete(sender: type[Model], **_: Any) -> None:
    model_deletes.labels(_name_of(sender)).inc()


def _name_of(model: type[Model]) -> str:
    return model._meta.model_name or ""
