"""Indexes for what each order looks up: the computation of the same thing, and what its account has in flight."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('explanations', '0001_initial')]

    operations = [
        migrations.RemoveIndex(
            model_name='computation',
            name='newest_explanation',
        ),
        migrations.RemoveIndex(
            model_name='computation',
            name='unfinished',
        ),
        migrations.AlterField(
            model_name='explanationjob',
            name='computation',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='jobs', to='explanations.computation'),
        ),
        migrations.AddIndex(
            model_name='computation',
            index=models.Index(fields=['symbol', '-prediction_timestamp', '-finished_at'], name='newest_explanation'),
        ),
        migrations.AddIndex(
            model_name='computation',
            index=models.Index(condition=models.Q(('finished_at', None)), fields=['heard_at'], name='unfinished'),
        ),
        migrations.AddIndex(
            model_name='explanationjob',
            index=models.Index(fields=['computation', 'account_id'], name='jobs_of_computation'),
        ),
    ]
