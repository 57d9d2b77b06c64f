"""What staff change and what the cache is asked is counted."""

from __future__ import annotations

import pytest
import redis
from django.core.cache import cache
from prometheus_client import REGISTRY
from pytest_django import Settings

from accounts.models import Limit, Tier
from gateway_project import embedded


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.django_db
def test_what_happens_to_a_tier_is_counted() -> None:
    names = ("django_model_inserts_total", "django_model_updates_total", "django_model_deletes_total")
    before = [counted(name, model="tier") for name in names]
    tier = Tier.objects.create(name="counted")
    tier.description = "told"
    tier.save()
    Tier.objects.filter(name="counted").delete()
    assert [counted(name, model="tier") for name in names] == [n + 1 for n in before]


@pytest.mark.django_db
def test_what_goes_with_a_tier_is_counted_as_well() -> None:
    tier = Tier.objects.create(name="counted")
    Limit.objects.create(tier=tier, name="all", scope="key", quota=1, window_s=60)
    before = counted("django_model_deletes_total", model="limit")
    tier.delete()
    assert counted("django_model_deletes_total", model="limit") == before + 1


def test_models_that_are_written_in_bulk_are_not_counted() -> None:
    families = {family.name: family for family in REGISTRY.collect()}
    names = {sample.labels["model"] for sample in families["django_model_inserts"].samples}
    assert names == {"account", "apikey", "limit", "tier", "user"}


def use(settings: Settings, url: str) -> None:
    """Make the Redis at `url` the cache."""
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": url}}


def test_look_ups_in_the_cache_are_counted_by_how_they_end(
    settings: Settings, redis_client: redis.Redis
) -> None:
    use(settings, settings.GATEWAY.redis_url)
    names = ("django_cache_get_total", "django_cache_get_hits_total", "django_cache_get_misses_total")
    before = [counted(name, backend="redis") for name in names]
    cache.set("counted", None)
    assert cache.get("counted", 1) is None
    assert not cache.add("counted", 1)
    cache.delete("counted")
    assert cache.get("counted", 1) == 1
    assert cache.add("counted", 1)
    assert [counted(name, backend="redis") for name in names] == [before[0] + 4, before[1] + 2, before[2] + 2]


def test_a_read_without_an_answer_is_counted_and_told(settings: Settings) -> None:
    use(settings, f"redis://127.0.0.1:{embedded.free_port()}/0")
    before = counted("django_cache_get_fail_total", backend="redis")
    with pytest.raises(redis.ConnectionError):
        cache.get("counted")
    assert counted("django_cache_get_fail_total", backend="redis") == before + 1
