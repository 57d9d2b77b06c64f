"""The tiers that every installation starts with."""

from django.db import migrations

TIERS = {
    "anonymous": "Callers without a credential, by address",
    "free": "For trying it out",
    "pro": "For products",
    "enterprise": "Unlimited",
}


def seed(apps, schema_editor):
    tier = apps.get_model("accounts", "Tier")
    for name, description in TIERS.items():
        tier.objects.get_or_create(name=name, defaults={"description": description})


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
