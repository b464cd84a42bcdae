"""The tables of forecasts. Raw SQL adds what models cannot state: keys with `origin`, storage and triggers."""

import django.contrib.postgres.fields
import django.db.models.deletion
import predictions.models.accuracy_totals
import uuid
from django.conf import settings
from django.db import migrations, models

APPEND_ONLY_TABLES = (
    "predictions_forecast",
    "predictions_forecastinput",
    "predictions_ledgerhead",
    "predictions_ledgerkey",
    "predictions_outcome",
    "predictions_toolchain",
    "predictions_witnessedhead",
)
# A partitioned table requires its partition key in every unique key, and in foreign keys to it.
KEYS_WITH_ORIGIN = """
ALTER TABLE predictions_forecast DROP CONSTRAINT predictions_forecast_pkey, ADD PRIMARY KEY (id, origin);
ALTER TABLE predictions_outcome DROP CONSTRAINT predictions_outcome_pkey, ADD PRIMARY KEY (id, origin);
ALTER TABLE predictions_outcome ADD CONSTRAINT outcome_of_forecast FOREIGN KEY (forecast_id, origin)
    REFERENCES predictions_forecast (id, origin) DEFERRABLE INITIALLY DEFERRED;
"""
KEYS_WITHOUT_ORIGIN = """
ALTER TABLE predictions_outcome DROP CONSTRAINT outcome_of_forecast;
ALTER TABLE predictions_outcome DROP CONSTRAINT predictions_outcome_pkey, ADD PRIMARY KEY (id);
ALTER TABLE predictions_forecast DROP CONSTRAINT predictions_forecast_pkey, ADD PRIMARY KEY (id);
"""
# Blocks are compressed already, and compressing a payload takes longer than writing it: both are stored out of line, so
# that rows stay narrow. Pages read few rows by an index, which parallel workers only delay.
STORAGE = """
ALTER TABLE predictions_forecastinput ALTER COLUMN block SET STORAGE EXTERNAL;
ALTER TABLE predictions_forecast ALTER COLUMN payload SET STORAGE EXTERNAL, ALTER COLUMN drivers SET STORAGE EXTERNAL;
ALTER TABLE predictions_forecast SET (parallel_workers = 0);
ALTER TABLE predictions_outcome SET (parallel_workers = 0);
"""
REFUSE_CHANGE = """
CREATE FUNCTION predictions_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the ledger is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
"""
ROW_TRIGGER = """
CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION predictions_refuse_change();
"""
TABLE_TRIGGER = """
CREATE TRIGGER append_only_table BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION predictions_refuse_change();
"""
# Rows are appended at the end of the chain, and no row is recorded before what stands in front of it.
ORDER_TRIGGERS = """
CREATE FUNCTION predictions_refuse_disorder() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    first_id bigint := (SELECT min(id) FROM added);
BEGIN
    IF (SELECT count(*) FROM predictions_forecast WHERE id >= first_id) <> (SELECT count(*) FROM added) THEN
        RAISE EXCEPTION 'INSERT on % is refused: rows are appended at the end of the chain', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (
        SELECT FROM (
            SELECT recorded_at, lag(recorded_at, 1, greatest(
                (SELECT recorded_at FROM predictions_forecast WHERE id < first_id ORDER BY id DESC LIMIT 1),
                (SELECT max(recorded_at) FROM predictions_ledgerhead)
            )) OVER (ORDER BY id) AS previous FROM added
        ) AS appended WHERE recorded_at < previous
    ) THEN
        RAISE EXCEPTION 'INSERT on % is refused: a row is recorded before the row or head in front of it', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER appended_in_order AFTER INSERT ON predictions_forecast REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION predictions_refuse_disorder();
CREATE FUNCTION predictions_refuse_early_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.recorded_at < greatest(
        (SELECT recorded_at FROM predictions_forecast ORDER BY id DESC LIMIT 1),
        (SELECT max(recorded_at) FROM predictions_ledgerhead)
    ) THEN
        RAISE EXCEPTION 'INSERT on % is refused: the head is recorded before what it covers', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER head_in_order BEFORE INSERT ON predictions_ledgerhead
    FOR EACH ROW EXECUTE FUNCTION predictions_refuse_early_head();
"""
DROP_ORDER_TRIGGERS = """
DROP TRIGGER head_in_order ON predictions_ledgerhead;
DROP TRIGGER appended_in_order ON predictions_forecast;
DROP FUNCTION predictions_refuse_early_head(), predictions_refuse_disorder();
"""
DROP_TRIGGERS = "DROP TRIGGER append_only_rows ON {table}; DROP TRIGGER append_only_table ON {table};"


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('marketdata', '0001_initial'),
        ('mlops', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Forecast',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('symbol', models.CharField(max_length=15)),
                ('origin', models.DateField(verbose_name='last session known')),
                ('horizon_sessions', models.PositiveSmallIntegerField()),
                ('target', models.DateField(verbose_name='session forecast')),
                ('origin_closed_at', models.DateTimeField()),
                ('live_until', models.DateTimeField(verbose_name='when trading goes on')),
                ('kind', models.CharField(choices=[('live', 'Live'), ('late', 'Late'), ('republished', 'Republished'), ('hindcast', 'Hindcast')], max_length=11)),
                ('status', models.CharField(choices=[('issued', 'Issued'), ('abstained', 'Abstained')], max_length=9)),
                ('reasons', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=200), default=list, size=None)),
                ('tick', models.DecimalField(decimal_places=12, max_digits=24, null=True)),
                ('last_price', models.DecimalField(decimal_places=12, max_digits=24, null=True)),
                ('predicted_price', models.DecimalField(decimal_places=12, max_digits=24, null=True)),
                ('probability_up', models.DecimalField(decimal_places=6, max_digits=7, null=True)),
                ('base_rate_up', models.DecimalField(decimal_places=6, max_digits=7, null=True)),
                ('probability_beats_median', models.DecimalField(decimal_places=6, max_digits=7, null=True)),
                ('signal', models.CharField(blank=True, choices=[('BUY', 'Buy'), ('HOLD', 'Hold'), ('SELL', 'Sell')], max_length=4)),
                ('signal_meaning', models.CharField(blank=True, max_length=16)),
                ('signal_reason', models.CharField(blank=True, max_length=200)),
                ('confidence', models.DecimalField(decimal_places=6, max_digits=7, null=True)),
                ('lower_80', models.DecimalField(decimal_places=12, max_digits=24, null=True)),
                ('upper_80', models.DecimalField(decimal_places=12, max_digits=24, null=True)),
                ('lower_95', models.DecimalField(decimal_places=12, max_digits=24, null=True)),
                ('upper_95', models.DecimalField(decimal_places=12, max_digits=24, null=True)),
                ('lower_99', models.DecimalField(decimal_places=12, max_digits=24, null=True)),
                ('upper_99', models.DecimalField(decimal_places=12, max_digits=24, null=True)),
                ('volatility_rises', models.DecimalField(decimal_places=6, max_digits=7, null=True)),
                ('big_move', models.DecimalField(decimal_places=6, max_digits=7, null=True)),
                ('risk_level', models.CharField(blank=True, max_length=8)),
                ('drivers', models.JSONField(default=list)),
                ('fit', models.CharField(choices=[('serving', 'Serving'), ('holdout', 'Holdout')], max_length=7, verbose_name="which of the version's two fits")),
                ('data_source', models.CharField(max_length=32)),
                ('basis_date', models.DateField(null=True, verbose_name='splits applied up to')),
                ('recorded_at', models.DateTimeField()),
                ('payload', models.TextField(verbose_name='canonical JSON of all other columns')),
                ('previous_hash', models.CharField(max_length=64)),
                ('entry_hash', models.CharField(max_length=64)),
                ('instrument', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='forecasts', to='marketdata.instrument')),
                ('model_version', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='forecasts', to='mlops.modelversion')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='LedgerCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('checked_at', models.DateTimeField()),
                ('seconds', models.FloatField()),
                ('forecasts', models.PositiveBigIntegerField()),
                ('fault', models.TextField(blank=True)),
            ],
            options={
                'ordering': ['-checked_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='LedgerKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key_id', models.CharField(max_length=16, unique=True)),
                ('public_key', models.CharField(max_length=64, verbose_name='32 bytes in hexadecimal digits')),
                ('added_at', models.DateTimeField()),
                ('endorsed_by', models.CharField(blank=True, max_length=16)),
                ('endorsement', models.CharField(blank=True, max_length=128)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Toolchain',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('versions', models.CharField(max_length=400, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name='BatchJob',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('horizon_sessions', models.PositiveSmallIntegerField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Running'), ('done', 'Done'), ('cancelled', 'Cancelled')], default='waiting', max_length=9)),
                ('total', models.PositiveIntegerField(verbose_name='symbols asked for')),
                ('done', models.PositiveIntegerField(default=0, verbose_name='symbols answered')),
                ('problems', models.PositiveIntegerField(default=0, verbose_name='symbols without a forecast')),
                ('created_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='batch_jobs', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='BatchPiece',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(verbose_name='page of the job, from 1')),
                ('symbols', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), size=None)),
                ('answers', models.JSONField(null=True)),
                ('claimed_at', models.DateTimeField(null=True, verbose_name='when a worker took it')),
                ('job', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pieces', to='predictions.batchjob')),
            ],
        ),
        migrations.CreateModel(
            name='PendingForecast',
            fields=[
                ('forecast', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='pending', serialize=False, to='predictions.forecast')),
                ('target', models.DateField()),
            ],
        ),
        migrations.CreateModel(
            name='ForecastInput',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('origin', models.DateField()),
                ('feature_set', models.CharField(max_length=32)),
                ('sha256', models.CharField(max_length=64)),
                ('rows', models.PositiveIntegerField()),
                ('columns', models.PositiveIntegerField()),
                ('block', models.BinaryField()),
                ('instrument', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketdata.instrument')),
            ],
        ),
        migrations.AddField(
            model_name='forecast',
            name='inputs',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='predictions.forecastinput'),
        ),
        migrations.CreateModel(
            name='LedgerHead',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(unique=True)),
                ('count', models.PositiveBigIntegerField(verbose_name='forecasts in the chain')),
                ('head_hash', models.CharField(max_length=64, verbose_name='entry hash of the newest forecast')),
                ('outcomes', models.PositiveBigIntegerField(verbose_name='outcomes so far')),
                ('last_outcome', models.PositiveBigIntegerField(verbose_name='id of the newest outcome')),
                ('outcomes_hash', models.CharField(max_length=64, verbose_name='chain hash over all outcomes')),
                ('recorded_at', models.DateTimeField()),
                ('key_id', models.CharField(max_length=16, verbose_name='key of the signature')),
                ('payload', models.TextField(verbose_name='canonical JSON of all other columns but the signature')),
                ('previous_hash', models.CharField(max_length=64)),
                ('entry_hash', models.CharField(max_length=64, unique=True)),
                ('signature', models.CharField(max_length=128, verbose_name='Ed25519 signature of the entry hash')),
                ('last_forecast', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='predictions.forecast')),
            ],
            options={
                'ordering': ['-day'],
            },
        ),
        migrations.CreateModel(
            name='Outcome',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('origin', models.DateField(verbose_name="the forecast's last known session")),
                ('revision', models.PositiveSmallIntegerField(default=0)),
                ('actual_price', models.DecimalField(decimal_places=12, max_digits=24, verbose_name="actual close on the forecast's basis")),
                ('error', models.DecimalField(decimal_places=12, max_digits=24, null=True, verbose_name='predicted minus actual')),
                ('went_up', models.BooleanField()),
                ('direction_right', models.BooleanField(null=True)),
                ('inside_80', models.BooleanField(null=True)),
                ('inside_95', models.BooleanField(null=True)),
                ('inside_99', models.BooleanField(null=True)),
                ('volatility_rose', models.BooleanField(null=True, verbose_name='larger swings than over the same span before')),
                ('call_right', models.BooleanField(null=True, verbose_name='BUY or SELL came true')),
                ('recorded_at', models.DateTimeField()),
                ('payload', models.TextField(verbose_name='canonical JSON of all other columns')),
                ('forecast', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='outcomes', to='predictions.forecast')),
            ],
        ),
        migrations.CreateModel(
            name='ScoringProgress',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('forecasts_seen', models.BigIntegerField(default=0, verbose_name='key of the last forecast put on the waiting list')),
                ('bars_seen_at', models.DateTimeField(null=True, verbose_name='bars fetched before were compared with the outcomes')),
                ('outcomes_counted', models.BigIntegerField(default=0, verbose_name='key of the last outcome in the sums')),
                ('as_of', models.DateField(null=True, verbose_name='session with which the windows end')),
                ('updated_at', models.DateTimeField(null=True, verbose_name='when the sums last changed')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='scoring_progress_is_one_row')],
            },
        ),
        migrations.AddField(
            model_name='forecast',
            name='toolchain',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='predictions.toolchain'),
        ),
        migrations.CreateModel(
            name='AccuracyDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('n', models.BigIntegerField(default=0)),
                ('hits', models.BigIntegerField(default=0, verbose_name='direction right')),
                ('ups', models.BigIntegerField(default=0, verbose_name='closed higher')),
                ('predicted_up', models.BigIntegerField(default=0)),
                ('predicted_up_hits', models.BigIntegerField(default=0)),
                ('inside_80', models.BigIntegerField(default=0)),
                ('inside_95', models.BigIntegerField(default=0)),
                ('inside_99', models.BigIntegerField(default=0)),
                ('buys', models.BigIntegerField(default=0)),
                ('buy_hits', models.BigIntegerField(default=0)),
                ('sells', models.BigIntegerField(default=0)),
                ('sell_hits', models.BigIntegerField(default=0)),
                ('volatility_calls', models.BigIntegerField(default=0)),
                ('volatility_hits', models.BigIntegerField(default=0)),
                ('volatility_rises', models.BigIntegerField(default=0)),
                ('risks', models.BigIntegerField(default=0)),
                ('risk_hits', models.BigIntegerField(default=0)),
                ('big_moves', models.BigIntegerField(default=0)),
                ('brier', models.DecimalField(decimal_places=12, default=0, max_digits=30)),
                ('log_loss', models.DecimalField(decimal_places=12, default=0, max_digits=30)),
                ('absolute_error', models.DecimalField(decimal_places=12, default=0, max_digits=30)),
                ('absolute_naive', models.DecimalField(decimal_places=12, default=0, max_digits=30)),
                ('squared_error', models.DecimalField(decimal_places=12, default=0, max_digits=30)),
                ('squared_naive', models.DecimalField(decimal_places=12, default=0, max_digits=30)),
                ('bin_n', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=predictions.models.accuracy_totals.empty_bins, size=None)),
                ('bin_ups', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=predictions.models.accuracy_totals.empty_bins, size=None)),
                ('bin_probability', django.contrib.postgres.fields.ArrayField(base_field=models.DecimalField(decimal_places=6, max_digits=24), default=predictions.models.accuracy_totals.empty_bins, size=None)),
                ('kind', models.CharField(max_length=11)),
                ('horizon_sessions', models.PositiveSmallIntegerField()),
                ('target', models.DateField()),
                ('model_version', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='mlops.modelversion')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('kind', 'model_version', 'horizon_sessions', 'target'), include=('n', 'hits', 'ups', 'inside_80', 'inside_95', 'inside_99', 'brier', 'buys', 'risks', 'big_moves'), name='accuracy_day_once', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='AccuracySnapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('n', models.BigIntegerField(default=0)),
                ('hits', models.BigIntegerField(default=0, verbose_name='direction right')),
                ('ups', models.BigIntegerField(default=0, verbose_name='closed higher')),
                ('predicted_up', models.BigIntegerField(default=0)),
                ('predicted_up_hits', models.BigIntegerField(default=0)),
                ('inside_80', models.BigIntegerField(default=0)),
                ('inside_95', models.BigIntegerField(default=0)),
                ('inside_99', models.BigIntegerField(default=0)),
                ('buys', models.BigIntegerField(default=0)),
                ('buy_hits', models.BigIntegerField(default=0)),
                ('sells', models.BigIntegerField(default=0)),
                ('sell_hits', models.BigIntegerField(default=0)),
                ('volatility_calls', models.BigIntegerField(default=0)),
                ('volatility_hits', models.BigIntegerField(default=0)),
                ('volatility_rises', models.BigIntegerField(default=0)),
                ('risks', models.BigIntegerField(default=0)),
                ('risk_hits', models.BigIntegerField(default=0)),
                ('big_moves', models.BigIntegerField(default=0)),
                ('brier', models.DecimalField(decimal_places=12, default=0, max_digits=30)),
                ('log_loss', models.DecimalField(decimal_places=12, default=0, max_digits=30)),
                ('absolute_error', models.DecimalField(decimal_places=12, default=0, max_digits=30)),
                ('absolute_naive', models.DecimalField(decimal_places=12, default=0, max_digits=30)),
                ('squared_error', models.DecimalField(decimal_places=12, default=0, max_digits=30)),
                ('squared_naive', models.DecimalField(decimal_places=12, default=0, max_digits=30)),
                ('bin_n', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=predictions.models.accuracy_totals.empty_bins, size=None)),
                ('bin_ups', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=predictions.models.accuracy_totals.empty_bins, size=None)),
                ('bin_probability', django.contrib.postgres.fields.ArrayField(base_field=models.DecimalField(decimal_places=6, max_digits=24), default=predictions.models.accuracy_totals.empty_bins, size=None)),
                ('kind', models.CharField(max_length=11)),
                ('horizon_sessions', models.PositiveSmallIntegerField()),
                ('window_days', models.PositiveSmallIntegerField()),
                ('verdict', models.CharField(blank=True, choices=[('skill', 'Skill'), ('no skill', 'No Skill'), ('not enough evidence', 'Not Enough')], default='', max_length=20)),
                ('needed_n', models.BigIntegerField(null=True, verbose_name='forecasts that the verdict needs')),
                ('instrument', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='marketdata.instrument')),
                ('model_version', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='mlops.modelversion')),
            ],
            options={
                'indexes': [models.Index(fields=['kind', 'model_version', 'horizon_sessions', 'window_days', 'instrument'], name='accuracy_snapshot_by_scope')],
                'constraints': [models.UniqueConstraint(fields=('instrument', 'kind', 'model_version', 'window_days', 'horizon_sessions'), name='accuracy_snapshot_once', nulls_distinct=False), models.CheckConstraint(condition=models.Q(('verdict', ''), models.Q(('instrument', None), ('window_days', 0)), _connector='OR'), name='accuracy_verdict_on_all_stocks_only')],
            },
        ),
        migrations.AddIndex(
            model_name='batchjob',
            index=models.Index(fields=['created_at'], name='batch_job_by_age'),
        ),
        migrations.AddConstraint(
            model_name='batchjob',
            constraint=models.CheckConstraint(condition=models.Q(('done__lte', models.F('total')), ('problems__lte', models.F('done'))), name='batch_job_counts'),
        ),
        migrations.AddConstraint(
            model_name='batchjob',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('finished_at__isnull', True), ('state__in', ['waiting', 'running'])), models.Q(('finished_at__isnull', False), ('state', 'cancelled')), models.Q(('done', models.F('total')), ('finished_at__isnull', False), ('state', 'done')), _connector='OR'), name='batch_job_finished_when_all_is_done'),
        ),
        migrations.AddIndex(
            model_name='batchpiece',
            index=models.Index(condition=models.Q(('answers__isnull', True)), fields=['claimed_at'], name='batch_piece_unanswered'),
        ),
        migrations.AddConstraint(
            model_name='batchpiece',
            constraint=models.UniqueConstraint(fields=('job', 'number'), name='batch_piece_once_in_a_job'),
        ),
        migrations.AddField(
            model_name='pendingforecast',
            name='instrument',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='marketdata.instrument'),
        ),
        migrations.AddConstraint(
            model_name='forecastinput',
            constraint=models.UniqueConstraint(fields=('origin', 'feature_set', 'instrument', 'sha256'), name='forecast_input_once'),
        ),
        migrations.AddConstraint(
            model_name='ledgerhead',
            constraint=models.CheckConstraint(condition=models.Q(('count__gt', 0)), name='ledger_head_has_forecasts'),
        ),
        migrations.AddConstraint(
            model_name='outcome',
            constraint=models.UniqueConstraint(fields=('forecast', 'origin', 'revision'), name='outcome_once_per_revision'),
        ),
        migrations.AddIndex(
            model_name='forecast',
            index=models.Index(condition=models.Q(('kind__in', ('live', 'late', 'republished'))), fields=['instrument', 'horizon_sessions', '-origin', 'model_version'], name='forecast_latest'),
        ),
        migrations.AddIndex(
            model_name='forecast',
            index=models.Index(fields=['instrument', 'target', 'horizon_sessions', 'kind', 'id'], name='forecast_history'),
        ),
        migrations.AddIndex(
            model_name='forecast',
            index=models.Index(fields=['kind', 'horizon_sessions', 'target'], name='forecast_by_target'),
        ),
        migrations.AddIndex(
            model_name='forecast',
            index=models.Index(fields=['model_version', 'kind', 'origin'], name='forecast_of_version'),
        ),
        migrations.AddConstraint(
            model_name='forecast',
            constraint=models.UniqueConstraint(condition=models.Q(('kind__in', ('live', 'late'))), fields=('origin', 'instrument', 'horizon_sessions'), name='forecast_first_published_once'),
        ),
        migrations.AddConstraint(
            model_name='forecast',
            constraint=models.UniqueConstraint(condition=models.Q(('kind__in', ('live', 'late')), _negated=True), fields=('instrument', 'origin', 'horizon_sessions', 'model_version', 'kind'), name='forecast_published_once'),
        ),
        migrations.AddConstraint(
            model_name='forecast',
            constraint=models.CheckConstraint(condition=models.Q(('origin_closed_at__lt', models.F('live_until')), ('origin_closed_at__lte', models.F('recorded_at'))), name='forecast_recorded_after_close'),
        ),
        migrations.AddConstraint(
            model_name='forecast',
            constraint=models.CheckConstraint(condition=models.Q(('live_until__date__lte', models.F('target'))), name='forecast_live_until_target_at_most'),
        ),
        migrations.AddConstraint(
            model_name='forecast',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'live'), _negated=True), ('recorded_at__lt', models.F('live_until')), _connector='OR'), name='forecast_live_means_before'),
        ),
        migrations.AddConstraint(
            model_name='forecast',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'late'), _negated=True), ('recorded_at__gte', models.F('live_until')), _connector='OR'), name='forecast_late_means_after'),
        ),
        migrations.AddConstraint(
            model_name='forecast',
            constraint=models.CheckConstraint(condition=models.Q(('fit__in', ['serving', 'holdout'])), name='forecast_fit_known'),
        ),
        migrations.AddConstraint(
            model_name='forecast',
            constraint=models.CheckConstraint(condition=models.Q(('target__gt', models.F('origin'))), name='forecast_target_after_origin'),
        ),
        migrations.AddConstraint(
            model_name='forecast',
            constraint=models.CheckConstraint(condition=models.Q(('status', 'abstained'), models.Q(('lower_80__lte', models.F('predicted_price')), ('lower_95__lte', models.F('lower_80')), ('lower_99__lte', models.F('lower_95')), ('upper_80__gte', models.F('predicted_price')), ('upper_95__gte', models.F('upper_80')), ('upper_99__gte', models.F('upper_95'))), _connector='OR'), name='forecast_intervals_nested'),
        ),
        migrations.AddConstraint(
            model_name='forecast',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('last_price__isnull', False), ('lower_80__isnull', False), ('lower_95__isnull', False), ('lower_99__gt', 0), ('lower_99__isnull', False), ('predicted_price__isnull', False), ('probability_up__gt', 0), ('probability_up__isnull', False), ('probability_up__lt', 1), ('status', 'issued'), ('upper_80__isnull', False), ('upper_95__isnull', False), ('upper_99__isnull', False)), models.Q(('predicted_price', None), ('probability_up', None), ('signal', ''), ('status', 'abstained')), _connector='OR'), name='forecast_issued_or_abstained'),
        ),
        migrations.AddIndex(
            model_name='pendingforecast',
            index=models.Index(fields=['target', 'instrument'], name='pending_by_target'),
        ),
        migrations.CreateModel(
            name='WitnessedHead',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_key', models.CharField(max_length=64)),
                ('day', models.DateField()),
                ('count', models.PositiveBigIntegerField(verbose_name='forecasts in the chain')),
                ('head_hash', models.CharField(max_length=64, verbose_name='entry hash of the newest forecast')),
                ('previous_hash', models.CharField(max_length=64)),
                ('payload', models.TextField()),
                ('entry_hash', models.CharField(max_length=64)),
                ('signature', models.CharField(max_length=128)),
                ('received_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['-day', '-id'],
                'constraints': [models.UniqueConstraint(fields=('public_key', 'entry_hash'), name='witnessed_head_once')],
            },
        ),
        migrations.CreateModel(
            name='HeadPublication',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('witness', models.CharField(max_length=300)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('attempted_at', models.DateTimeField(null=True)),
                ('next_attempt_at', models.DateTimeField()),
                ('published_at', models.DateTimeField(null=True)),
                ('error', models.CharField(blank=True, max_length=300, verbose_name='reason of the last failure')),
                ('receipt', models.CharField(blank=True, max_length=300)),
                ('head', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='publications', to='predictions.ledgerhead')),
            ],
            options={
                'ordering': ['-head__day', 'witness'],
                'constraints': [models.UniqueConstraint(fields=('head', 'witness'), name='head_published_once_per_witness')],
            },
        ),
        migrations.RunSQL(KEYS_WITH_ORIGIN, KEYS_WITHOUT_ORIGIN),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
        migrations.RunSQL(REFUSE_CHANGE, "DROP FUNCTION predictions_refuse_change()"),
        *(
            migrations.RunSQL((ROW_TRIGGER + TABLE_TRIGGER).format(table=table), DROP_TRIGGERS.format(table=table))
            for table in APPEND_ONLY_TABLES
        ),
        migrations.RunSQL(ORDER_TRIGGERS, DROP_ORDER_TRIGGERS),
    ]
