"""Partition the record by time where the database has TimescaleDB; a plain table elsewhere.

Only an extension that is installed in this database counts: creating one that is merely available ends
the session where the server does not preload it.
"""

from django.db import migrations

_INSTALLED = "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'"
_PARTITION = """
SELECT create_hypertable(
    'predictions_prediction', 'timestamp',
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
    dependencies = [("predictions", "0001_initial")]
    operations = [migrations.RunPython(partition, migrations.RunPython.noop)]
