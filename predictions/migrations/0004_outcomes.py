"""What came of each prediction, its daily sums, and how far both are. The bridge fills them, from the first on.

Outcomes are partitioned by time as the record is (0002); of the rows of the record nothing is changed.
"""

from django.db import migrations, models

_INSTALLED = "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'"
_PARTITION = """
SELECT create_hypertable(
    'predictions_outcome', 'timestamp',
    create_default_indexes => FALSE, migrate_data => TRUE, if_not_exists => TRUE
)
"""


def partition(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(_INSTALLED)
        if cursor.fetchone():
            cursor.execute(_PARTITION)


class Migration(migrations.Migration):

    dependencies = [
        ('predictions', '0003_place'),
    ]

    operations = [
        migrations.CreateModel(
            name='AccuracyDay',
            fields=[
                ('pk', models.CompositePrimaryKey('symbol', 'day', 'model_version', 'horizon', blank=True, editable=False, primary_key=True, serialize=False)),
                ('symbol', models.CharField(max_length=32)),
                ('day', models.DateField()),
                ('model_version', models.CharField(max_length=64)),
                ('horizon', models.CharField(max_length=64)),
                ('passed_at', models.DateTimeField(help_text='when the horizon of all of the day has passed', null=True)),
                ('made', models.BigIntegerField()),
                ('unreadable', models.BigIntegerField()),
                ('settled', models.BigIntegerField()),
                ('first_as_of', models.DateTimeField(help_text='of those that are settled', null=True)),
                ('last_as_of', models.DateTimeField(null=True)),
                ('error', models.FloatField(help_text='sum of absolute errors')),
                ('relative_error', models.FloatField(help_text='sum of absolute errors as shares of the actual price')),
                ('naive_error', models.FloatField()),
                ('naive_relative_error', models.FloatField()),
                ('hits', models.BigIntegerField()),
                ('with_interval', models.BigIntegerField()),
                ('within_interval', models.BigIntegerField()),
                ('interval_levels', models.FloatField(help_text='sum of the levels of those with an interval')),
            ],
        ),
        migrations.CreateModel(
            name='SettledPlace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('epoch', models.CharField(max_length=32)),
                ('seq', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Outcome',
            fields=[
                ('pk', models.CompositePrimaryKey('symbol', 'timestamp', 'model_version', blank=True, editable=False, primary_key=True, serialize=False)),
                ('symbol', models.CharField(max_length=32)),
                ('timestamp', models.DateTimeField(help_text='when the pipeline made the prediction')),
                ('model_version', models.CharField(max_length=64)),
                ('horizon', models.CharField(max_length=64)),
                ('as_of', models.DateTimeField(help_text='market time of the prediction')),
                ('due_at', models.DateTimeField(help_text='market time at which the horizon has passed', null=True)),
                ('price', models.FloatField(help_text='at the prediction')),
                ('predicted_price', models.FloatField()),
                ('interval_low', models.FloatField(null=True)),
                ('interval_high', models.FloatField(null=True)),
                ('interval_level', models.FloatField(help_text='share of outcomes that it should hold', null=True)),
                ('actual_price', models.FloatField(null=True)),
                ('actual_as_of', models.DateTimeField(help_text='market time of the actual price', null=True)),
                ('settled_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['symbol', 'as_of', 'timestamp'], name='price_by_market_time'), models.Index(condition=models.Q(('due_at__isnull', False), ('settled_at', None)), fields=['symbol', 'due_at'], name='outcome_awaited')],
            },
        ),
        migrations.RunPython(partition, migrations.RunPython.noop),
    ]
