"""What orders and reads look up costs the same however much there is: indexes bound to what is no parameter.

Jobs know their end. Constraints hold what the indexes rely on: unfinished is what has no end, done what has a result.
"""

from django.db import migrations, models
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce


def end_jobs(apps, schema_editor):
    computations = apps.get_model("explanations", "Computation").objects.filter(pk=OuterRef("computation_id"))
    jobs = apps.get_model("explanations", "ExplanationJob").objects
    jobs.update(ended_at=Coalesce("cancelled_at", Subquery(computations.values("finished_at"))))


class Migration(migrations.Migration):

    dependencies = [('explanations', '0001_initial')]

    operations = [
        migrations.RemoveConstraint(
            model_name='computation',
            name='computed_once',
        ),
        migrations.RemoveIndex(
            model_name='computation',
            name='newest_explanation',
        ),
        migrations.RemoveIndex(
            model_name='computation',
            name='unfinished',
        ),
        migrations.RemoveIndex(
            model_name='computation',
            name='recently_finished',
        ),
        migrations.RemoveIndex(
            model_name='explanationjob',
            name='jobs_of_account',
        ),
        migrations.AddField(
            model_name='explanationjob',
            name='ended_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.RunPython(end_jobs, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name='computation',
            index=models.Index(condition=models.Q(('result__isnull', False)), fields=['symbol', '-prediction_timestamp', '-finished_at'], name='newest_explanation'),
        ),
        migrations.AddIndex(
            model_name='computation',
            index=models.Index(condition=models.Q(('result__isnull', False)), fields=['symbol', 'depth', '-prediction_timestamp', '-finished_at'], name='newest_of_depth'),
        ),
        migrations.AddIndex(
            model_name='computation',
            index=models.Index(condition=models.Q(('result__isnull', False)), fields=['depth', '-finished_at'], name='recently_finished'),
        ),
        migrations.AddIndex(
            model_name='computation',
            index=models.Index(condition=models.Q(('finished_at', None)), fields=['heard_at'], name='unfinished'),
        ),
        migrations.AddIndex(
            model_name='computation',
            index=models.Index(fields=['-created_at', '-id'], name='newest_computations'),
        ),
        migrations.AddIndex(
            model_name='computation',
            index=models.Index(fields=['state', '-created_at', '-id'], name='newest_of_state'),
        ),
        migrations.AddIndex(
            model_name='explanationjob',
            index=models.Index(condition=models.Q(('ended_at', None)), fields=['account_id'], name='jobs_in_flight'),
        ),
        migrations.AddConstraint(
            model_name='computation',
            constraint=models.UniqueConstraint(condition=models.Q(('finished_at', None), ('result__isnull', False), _connector='OR'), fields=('symbol', 'prediction_timestamp', 'model_version', 'depth'), name='computed_once'),
        ),
        migrations.AddConstraint(
            model_name='computation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('finished_at', None), ('state__in', ('queued', 'running'))), models.Q(('finished_at__isnull', False), ('state__in', ('done', 'failed', 'cancelled'))), _connector='OR'), name='unfinished_without_an_end'),
        ),
        migrations.AddConstraint(
            model_name='computation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('result__isnull', False), ('state', 'done')), models.Q(models.Q(('state', 'done'), _negated=True), ('result__isnull', True)), _connector='OR'), name='done_with_a_result'),
        ),
    ]
