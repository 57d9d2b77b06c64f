"""Keys for a measurement: the gateway's rows, made in bulk, and the records that the peers find in Redis.

As a program, in a process with Django: makes keys and prints them, one a line.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from redis import Redis

from accounts import keys
from benchmarks.side_by_side.ground import ROOT, Ground

if TYPE_CHECKING:
    from accounts.models import Account, Tier

LIMITED = "benchmark-limited"
MOST_CALLS = 1_000_000_000
# Two limits, as the tier `pro` has them, so wide that nobody is ever refused. The bucket fills more slowly
# than it is drawn on, or it would be forgotten as full after every call, which is less work.
_LIMITS = (
    {"name": "hourly", "scope": "key", "quota": MOST_CALLS, "window_s": 3600, "burst": None},
    {"name": "burst", "scope": "key", "quota": 50, "window_s": 1, "burst": MOST_CALLS},
)


def make(ground: Ground, tier: str, count: int) -> list[str]:
    """`count` new keys of the gateway; the tier `LIMITED` is made where it is missing."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "benchmarks.http.keyring", "--tier", tier, "--count", str(count)],
        env=ground.environ,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout.split()


def register(ground: Ground, texts: list[str]) -> None:
    """Let the peers know these keys: a hash in Redis by the key's digest."""
    with Redis.from_url(ground.redis_url) as client, client.pipeline(transaction=False) as pipeline:
        for text in texts:
            record = {"account": "benchmark", "quota": MOST_CALLS}
            pipeline.hset(f"bench:key:{keys.digest_key(text)}", mapping=record)
        pipeline.execute()


def _insert(tier_name: str, count: int) -> list[str]:
    from accounts.models import Account, Limit, Tier

    tier, is_new = Tier.objects.get_or_create(name=tier_name)
    if is_new:
        Limit.objects.bulk_create(Limit(tier=tier, **limit) for limit in _LIMITS)
    account, _ = Account.objects.get_or_create(name="benchmark", defaults={"tier": tier})
    return add_keys([account] * count, tier)


def add_keys(accounts: Sequence[Account], tier: Tier) -> list[str]:
    """A new key on `tier` for each of `accounts`, written in bulk; needs Django set up."""
    from accounts.models import ApiKey

    made = [(account, uuid.uuid4()) for account in accounts]
    texts = [keys.make_key(key_id, "live") for _, key_id in made]
    ApiKey.objects.bulk_create(
        (
            ApiKey(id=key_id, account=account, tier=tier, digest=keys.digest_key(text))
            for (account, key_id), text in zip(made, texts, strict=True)
        ),
        batch_size=500,
    )
    return texts


def main() -> None:
    """The command line; the database is found in the environment, as by the gateway."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", required=True)
    parser.add_argument("--count", type=int, required=True)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
    import django

    django.setup()
    sys.stdout.write("\n".join(_insert(options.tier, options.count)) + "\n")


if __name__ == "__main__":
    main()
