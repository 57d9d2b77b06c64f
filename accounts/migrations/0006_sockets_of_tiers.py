"""How many WebSockets an account of a tier may have open at once, and how many frames each gets a second."""

import django.core.validators
from django.db import migrations, models

# The tier enterprise has no limit; callers without a credential cannot open a socket at all.
MOST_CONNECTIONS = {"anonymous": 0, "free": 5, "pro": 50}


def seed(apps, schema_editor):
    tier_model = apps.get_model("accounts", "Tier")
    for name, most in MOST_CONNECTIONS.items():
        tier_model.objects.filter(name=name).update(most_connections=most)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_account_has_a_tier")]
    operations = [
        migrations.AddField(
            model_name="tier",
            name="most_connections",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="WebSockets an account may have open at once, over all processes; empty: no limit",
                null=True,
                validators=[django.core.validators.MaxValueValidator(1000000000)],
                verbose_name="WebSockets",
            ),
        ),
        migrations.AddField(
            model_name="tier",
            name="frames_per_s",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="frames a second a WebSocket gets at most; empty: 10",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(1000),
                ],
                verbose_name="frames a second",
            ),
        ),
        migrations.AddConstraint(
            model_name="tier",
            constraint=models.CheckConstraint(
                condition=models.Q(("frames_per_s__isnull", True), ("frames_per_s__gte", 1), _connector="OR"),
                name="tier_sends_frames",
            ),
        ),
        # Last: Postgres changes no table whose rows have just been changed under deferred triggers.
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
