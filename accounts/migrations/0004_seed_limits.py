"""The limits of the seeded tiers; a tier for every account; each older key begins its own lineage."""

from django.db import migrations
from django.db.models import F

HOUR_S = 3600
# (tier, name, scope, quota, window_s, burst)
LIMITS = [
    ("anonymous", "hourly", "ip", 10, HOUR_S, None),
    ("free", "hourly", "account", 100, HOUR_S, None),
    ("free", "burst", "account", 10, 1, 50),
    ("pro", "hourly", "account", 1000, HOUR_S, None),
    ("pro", "burst", "account", 50, 1, 250),
]


def seed(apps, schema_editor):
    tier_model = apps.get_model("accounts", "Tier")
    limit_model = apps.get_model("accounts", "Limit")
    for tier, name, scope, quota, window_s, burst in LIMITS:
        limit_model.objects.get_or_create(
            tier=tier_model.objects.get(name=tier),
            route="",
            name=name,
            defaults={"scope": scope, "quota": quota, "window_s": window_s, "burst": burst},
        )


def complete(apps, schema_editor):
    free = apps.get_model("accounts", "Tier").objects.get(name="free")
    key_model = apps.get_model("accounts", "ApiKey")
    for account in apps.get_model("accounts", "Account").objects.all():
        newest = key_model.objects.filter(account=account).order_by("-created_at").first()
        account.tier = newest.tier if newest else free
        account.save()
    key_model.objects.update(lineage=F("id"))


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_access")]
    operations = [
        migrations.RunPython(seed, migrations.RunPython.noop),
        migrations.RunPython(complete, migrations.RunPython.noop),
    ]
