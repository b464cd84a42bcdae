import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ModelVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.CharField(max_length=32, unique=True)),
                ('stage', models.CharField(choices=[('candidate', 'Candidate'), ('champion', 'Champion'), ('retired', 'Retired')], default='candidate', max_length=10)),
                ('feature_set', models.CharField(max_length=32)),
                ('seed', models.PositiveBigIntegerField()),
                ('trained_through', models.DateField(verbose_name='trained through')),
                ('holdout_trained_through', models.DateField(verbose_name='hold-out fit trained through')),
                ('holdout_first', models.DateField(verbose_name='hold-out from')),
                ('holdout_last', models.DateField(verbose_name='hold-out to')),
                ('artifact_path', models.CharField(max_length=300)),
                ('artifact_sha256', models.CharField(max_length=64)),
                ('toolchain', models.JSONField(default=dict, verbose_name='library versions')),
                ('metrics', models.JSONField(default=dict)),
                ('train_seconds', models.FloatField(verbose_name='training time (s)')),
                ('created_at', models.DateTimeField()),
                ('note', models.TextField(blank=True)),
            ],
            options={
                'ordering': ['-created_at'],
                'permissions': [('promote_modelversion', 'Can promote a model version and roll back')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('stage', 'champion')), fields=('stage',), name='model_version_one_champion'), models.CheckConstraint(condition=models.Q(('holdout_trained_through__lt', models.F('holdout_first'))), name='model_version_holdout_unseen')],
            },
        ),
        migrations.CreateModel(
            name='Evaluation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rule', models.CharField(max_length=16)),
                ('decision', models.CharField(choices=[('promote', 'Promote'), ('keep', 'Keep')], max_length=8)),
                ('reason', models.TextField()),
                ('statistics', models.JSONField(default=dict)),
                ('first', models.DateField(verbose_name='first session compared')),
                ('last', models.DateField(verbose_name='last session compared')),
                ('created_at', models.DateTimeField()),
                ('challenger', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='evaluations', to='mlops.modelversion')),
                ('champion', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='mlops.modelversion')),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='AliasChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('alias', models.CharField(max_length=16)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.TextField()),
                ('actor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='alias_changes', to='mlops.modelversion')),
            ],
            options={
                'ordering': ['-starts_at'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ends_at', None)), fields=('alias',), name='alias_change_one_open'), models.CheckConstraint(condition=models.Q(('ends_at', None), ('ends_at__gte', models.F('starts_at')), _connector='OR'), name='alias_change_ends_after_start')],
            },
        ),
        migrations.CreateModel(
            name='TrainingRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed')], default='queued', max_length=8)),
                ('reason', models.CharField(max_length=200)),
                ('seed', models.PositiveBigIntegerField()),
                ('through', models.DateField(blank=True, null=True, verbose_name='train through')),
                ('requested_at', models.DateTimeField()),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True, verbose_name='last heartbeat')),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('progress', models.FloatField(default=0.0)),
                ('stage', models.CharField(blank=True, max_length=120, verbose_name='current step')),
                ('error', models.TextField(blank=True)),
                ('version', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='mlops.modelversion')),
            ],
            options={
                'ordering': ['-requested_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(('progress__gte', 0), ('progress__lte', 1)), name='training_run_progress_is_a_share')],
            },
        ),
    ]
