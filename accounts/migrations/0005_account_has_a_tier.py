"""From now on an account cannot be without a tier."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_seed_limits")]
    operations = [
        migrations.AlterField(
            model_name="account",
            name="tier",
            field=models.ForeignKey(
                help_text="for calls of people who are logged in, and for keys that they register",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="accounts",
                to="accounts.tier",
            ),
        )
    ]
