"""Nothing is asked by the time of publishing."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [('events', '0001_initial')]

    operations = [
        migrations.RemoveIndex(
            model_name='outboxmessage',
            name='outbox_published',
        ),
    ]
