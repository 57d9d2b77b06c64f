"""An index on the place of each prediction, for those who come back and ask what they have missed."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('predictions', '0002_hypertable'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='prediction',
            index=models.Index(fields=['epoch', 'seq'], name='prediction_by_place'),
        ),
    ]
