import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.comparison
from decimal import Decimal
from django.conf import settings
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models

# Any change to an instrument's bars deletes its block, so a block can be missing but never stale.
# Statement triggers also enforce the foreign key from bars to instruments: a row-level check would double the cost of
# a bulk insert.
CREATE_TRIGGERS = """
CREATE FUNCTION marketdata_require_instruments(ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    existing bigint[] := ARRAY(SELECT id FROM marketdata_instrument WHERE id = ANY(ids) FOR KEY SHARE);
BEGIN
    IF NOT ids <@ existing THEN
        RAISE foreign_key_violation USING
            MESSAGE = 'a bar refers to a missing instrument', CONSTRAINT = 'daily_bar_has_instrument';
    END IF;
END $$;
CREATE FUNCTION marketdata_require_no_bars() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM deleted JOIN marketdata_dailybar ON instrument_id = deleted.id) THEN
        RAISE foreign_key_violation USING
            MESSAGE = 'an instrument with bars cannot be deleted', CONSTRAINT = 'instrument_delete_requires_no_bars';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION marketdata_after_bar_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM marketdata_require_instruments(ARRAY(SELECT DISTINCT instrument_id FROM changed));
    DELETE FROM marketdata_barblock WHERE instrument_id IN (SELECT DISTINCT instrument_id FROM changed);
    RETURN NULL;
END $$;
CREATE FUNCTION marketdata_after_bar_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM marketdata_require_instruments(ARRAY(SELECT DISTINCT instrument_id FROM changed));
    DELETE FROM marketdata_barblock WHERE instrument_id IN (
        SELECT instrument_id FROM changed UNION SELECT instrument_id FROM previous
    );
    RETURN NULL;
END $$;
CREATE FUNCTION marketdata_after_bar_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM marketdata_barblock WHERE instrument_id IN (SELECT DISTINCT instrument_id FROM changed);
    RETURN NULL;
END $$;
CREATE FUNCTION marketdata_after_bar_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM marketdata_barblock;
    RETURN NULL;
END $$;
CREATE TRIGGER bar_block_after_insert AFTER INSERT ON marketdata_dailybar
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION marketdata_after_bar_insert();
CREATE TRIGGER bar_block_after_update AFTER UPDATE ON marketdata_dailybar
    REFERENCING OLD TABLE AS previous NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION marketdata_after_bar_update();
CREATE TRIGGER bar_block_after_delete AFTER DELETE ON marketdata_dailybar
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION marketdata_after_bar_delete();
CREATE TRIGGER bar_block_after_truncate AFTER TRUNCATE ON marketdata_dailybar
    FOR EACH STATEMENT EXECUTE FUNCTION marketdata_after_bar_truncate();
CREATE TRIGGER instrument_delete_requires_no_bars AFTER DELETE ON marketdata_instrument
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION marketdata_require_no_bars();
-- Without compression, PostgreSQL reads a slice of a long value without the rest.
ALTER TABLE marketdata_barblock ALTER COLUMN body SET STORAGE EXTERNAL;
"""
DROP_TRIGGERS = """
DROP TRIGGER bar_block_after_insert ON marketdata_dailybar;
DROP TRIGGER bar_block_after_update ON marketdata_dailybar;
DROP TRIGGER bar_block_after_delete ON marketdata_dailybar;
DROP TRIGGER bar_block_after_truncate ON marketdata_dailybar;
DROP TRIGGER instrument_delete_requires_no_bars ON marketdata_instrument;
DROP FUNCTION marketdata_after_bar_insert();
DROP FUNCTION marketdata_after_bar_update();
DROP FUNCTION marketdata_after_bar_delete();
DROP FUNCTION marketdata_after_bar_truncate();
DROP FUNCTION marketdata_require_no_bars();
DROP FUNCTION marketdata_require_instruments(bigint[]);
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        TrigramExtension(),
        migrations.CreateModel(
            name='Instrument',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('symbol', models.CharField(max_length=15)),
                ('mic', models.CharField(default='XNYS', max_length=4, verbose_name='exchange (MIC)')),
                ('name', models.CharField(max_length=200)),
                ('sector', models.CharField(blank=True, max_length=80)),
                ('currency', models.CharField(default='USD', max_length=3)),
                ('tick', models.DecimalField(decimal_places=12, default=Decimal('0.01'), max_digits=24, verbose_name='tick size')),
                ('is_active', models.BooleanField(default=True, verbose_name='forecast each session')),
                ('source', models.CharField(blank=True, max_length=32, verbose_name='price history source')),
                ('basis_date', models.DateField(blank=True, null=True, verbose_name='split-adjusted as of')),
                ('delisted_on', models.DateField(blank=True, null=True, verbose_name='last session before delisting')),
            ],
            options={
                'ordering': ['symbol'],
                'indexes': [django.contrib.postgres.indexes.GinIndex(fields=['symbol'], name='instrument_symbol_trigrams', opclasses=['gin_trgm_ops']), django.contrib.postgres.indexes.GinIndex(fields=['name'], name='instrument_name_trigrams', opclasses=['gin_trgm_ops'])],
                'constraints': [models.UniqueConstraint(fields=('symbol', 'mic'), name='instrument_symbol_per_exchange'), models.CheckConstraint(condition=models.Q(('tick__gt', 0)), name='instrument_tick_positive'), models.CheckConstraint(condition=models.Q(('delisted_on__isnull', True), ('is_active', False), _connector='OR'), name='instrument_delisted_is_not_active')],
            },
        ),
        migrations.CreateModel(
            name='NewsArticle',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('url', models.URLField(max_length=700, unique=True, verbose_name='canonical URL')),
                ('title', models.CharField(max_length=300)),
                ('summary', models.TextField(blank=True)),
                ('source', models.CharField(max_length=80, verbose_name='publisher')),
                ('provider', models.CharField(max_length=32, verbose_name='provider')),
                ('is_social', models.BooleanField(default=False, verbose_name='social media post')),
                ('published_at', models.DateTimeField(db_index=True)),
                ('fetched_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['-published_at', '-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('published_at__gte', '1990-01-01T00:00:00Z')), name='news_article_published_since_1990'), models.CheckConstraint(condition=models.Q(models.Q(('title', ''), _negated=True), models.Q(('title', '[Removed]'), _negated=True)), name='news_article_has_a_title')],
            },
        ),
        migrations.CreateModel(
            name='ArticleMention',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('session', models.DateField(verbose_name='session it counts towards')),
                ('relevance', models.FloatField()),
                ('instrument', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='mentions', to='marketdata.instrument')),
                ('article', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='mentions', to='marketdata.newsarticle')),
            ],
            options={
                'indexes': [models.Index(fields=['instrument', 'session'], name='mention_by_session')],
                'constraints': [models.UniqueConstraint(fields=('article', 'instrument'), name='article_mention_once'), models.CheckConstraint(condition=models.Q(('relevance__gt', 0), ('relevance__lte', 1)), name='article_mention_relevance_range')],
            },
        ),
        migrations.CreateModel(
            name='CorporateAction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('session', models.DateField()),
                ('kind', models.CharField(choices=[('split', 'Split'), ('dividend', 'Dividend')], max_length=8)),
                ('value', models.DecimalField(decimal_places=8, max_digits=18)),
                ('source', models.CharField(max_length=32)),
                ('instrument', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='corporate_actions', to='marketdata.instrument')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('instrument', 'session', 'kind'), name='corporate_action_once'), models.CheckConstraint(condition=models.Q(('value__gt', 0)), name='corporate_action_value_positive')],
            },
        ),
        migrations.CreateModel(
            name='DailyBar',
            fields=[
                ('pk', models.CompositePrimaryKey('instrument_id', 'session', blank=True, editable=False, primary_key=True, serialize=False)),
                ('session', models.DateField()),
                ('open', models.DecimalField(decimal_places=12, max_digits=24)),
                ('high', models.DecimalField(decimal_places=12, max_digits=24)),
                ('low', models.DecimalField(decimal_places=12, max_digits=24)),
                ('close', models.DecimalField(decimal_places=12, max_digits=24)),
                ('adjusted_close', models.DecimalField(decimal_places=12, max_digits=24)),
                ('volume', models.BigIntegerField()),
                ('source', models.CharField(max_length=32)),
                ('fetched_at', models.DateTimeField()),
                ('is_final', models.BooleanField(default=True)),
                ('instrument', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='bars', to='marketdata.instrument')),
            ],
            options={
                'indexes': [django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['fetched_at'], name='daily_bar_fetched')],
                'constraints': [models.CheckConstraint(condition=models.Q(('high__gte', django.db.models.functions.comparison.Greatest(models.F('open'), models.F('close'))), ('low__lte', django.db.models.functions.comparison.Least(models.F('open'), models.F('close')))), name='daily_bar_low_high_enclose'), models.CheckConstraint(condition=models.Q(('adjusted_close__gt', 0), ('low__gt', 0)), name='daily_bar_prices_positive'), models.CheckConstraint(condition=models.Q(('volume__gte', 0)), name='daily_bar_volume_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='IngestionRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('running', 'Running'), ('done', 'Done'), ('failed', 'Failed')], default='running', max_length=8)),
                ('provider', models.CharField(blank=True, max_length=32)),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('bars_new', models.PositiveIntegerField(default=0)),
                ('bars_changed', models.PositiveIntegerField(default=0)),
                ('bars_unchanged', models.PositiveIntegerField(default=0)),
                ('bars_quarantined', models.PositiveIntegerField(default=0)),
                ('detail', models.TextField(blank=True)),
                ('instrument', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='ingestion_runs', to='marketdata.instrument')),
            ],
            options={
                'ordering': ['-started_at'],
            },
        ),
        migrations.CreateModel(
            name='MentionScore',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scorer', models.CharField(max_length=32)),
                ('label', models.CharField(choices=[('positive', 'Positive'), ('neutral', 'Neutral'), ('negative', 'Negative')], max_length=8)),
                ('score', models.FloatField()),
                ('mention', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='scores', to='marketdata.articlemention')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('mention', 'scorer'), name='mention_score_once'), models.CheckConstraint(condition=models.Q(('score__gte', -1), ('score__lte', 1)), name='mention_score_range')],
            },
        ),
        migrations.CreateModel(
            name='ProviderHealth',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=32, unique=True, verbose_name='source')),
                ('state', models.CharField(choices=[('ok', 'Ok'), ('degraded', 'Degraded'), ('down', 'Down'), ('unknown', 'Unknown'), ('off', 'Off')], default='unknown', max_length=8)),
                ('detail', models.CharField(blank=True, max_length=300)),
                ('checked_at', models.DateTimeField(blank=True, null=True, verbose_name='last checked')),
                ('latency_ms', models.PositiveIntegerField(blank=True, null=True, verbose_name='latency (ms)')),
                ('last_success_at', models.DateTimeField(blank=True, null=True, verbose_name='last success')),
                ('last_failure_at', models.DateTimeField(blank=True, null=True, verbose_name='last failure')),
                ('error_kinds', models.JSONField(blank=True, default=dict, verbose_name='failures today')),
                ('calls_today', models.PositiveIntegerField(default=0)),
                ('calls_left', models.PositiveIntegerField(blank=True, null=True, verbose_name='calls left today')),
                ('runs_out_at', models.DateTimeField(blank=True, null=True, verbose_name='budget exhausted at')),
                ('paused_until', models.DateTimeField(blank=True, null=True, verbose_name='paused until')),
            ],
            options={
                'verbose_name': 'market data source',
                'verbose_name_plural': 'market data sources',
                'ordering': ['provider'],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['ok', 'degraded', 'down', 'unknown', 'off'])), name='provider_health_state_known')],
            },
        ),
        migrations.CreateModel(
            name='HistoryReview',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(max_length=32)),
                ('rule', models.CharField(max_length=48, verbose_name='quality rule')),
                ('session', models.DateField(verbose_name='first doubtful session')),
                ('factor', models.DecimalField(decimal_places=6, max_digits=14, verbose_name='change of level')),
                ('finding', models.CharField(max_length=300)),
                ('bars', models.JSONField(default=list, verbose_name='bars around it')),
                ('status', models.CharField(choices=[('waiting', 'Waiting'), ('accepted', 'Accepted'), ('rejected', 'Rejected')], default='waiting', max_length=8)),
                ('reason', models.CharField(blank=True, max_length=300, verbose_name='reason for the decision')),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('seen_at', models.DateTimeField(verbose_name='first seen')),
                ('decided_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('instrument', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='history_reviews', to='marketdata.instrument')),
            ],
            options={
                'ordering': ['-seen_at', 'session'],
                'constraints': [models.UniqueConstraint(fields=('instrument', 'source', 'rule', 'session', 'factor'), name='history_review_once'), models.CheckConstraint(condition=models.Q(models.Q(('decided_at__isnull', True), ('reason', ''), ('status', 'waiting')), models.Q(models.Q(('status', 'waiting'), _negated=True), models.Q(('reason', ''), _negated=True), ('decided_at__isnull', False)), _connector='OR'), name='history_review_decided_with_reason')],
            },
        ),
        migrations.CreateModel(
            name='QuarantinedBar',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('session', models.DateField()),
                ('source', models.CharField(max_length=32)),
                ('rule', models.CharField(max_length=48, verbose_name='quality rule')),
                ('reason', models.CharField(max_length=300)),
                ('bar', models.JSONField(verbose_name='raw bar')),
                ('seen_at', models.DateTimeField()),
                ('instrument', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='quarantined_bars', to='marketdata.instrument')),
            ],
            options={
                'ordering': ['-seen_at', 'session'],
                'constraints': [models.UniqueConstraint(fields=('instrument', 'session', 'source', 'rule'), name='quarantined_bar_once')],
            },
        ),
        migrations.CreateModel(
            name='SentimentDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('session', models.DateField()),
                ('scorer', models.CharField(max_length=32)),
                ('score', models.FloatField()),
                ('count', models.PositiveIntegerField(verbose_name='articles')),
                ('dispersion', models.FloatField(blank=True, null=True, verbose_name='weighted standard deviation')),
                ('computed_at', models.DateTimeField()),
                ('instrument', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sentiment_days', to='marketdata.instrument')),
            ],
            options={
                'ordering': ['-session'],
                'constraints': [models.UniqueConstraint(fields=('instrument', 'session', 'scorer'), name='sentiment_day_once'), models.CheckConstraint(condition=models.Q(('score__gte', -1), ('score__lte', 1)), name='sentiment_day_score_range'), models.CheckConstraint(condition=models.Q(('count__gte', 1)), name='sentiment_day_has_articles'), models.CheckConstraint(condition=models.Q(('dispersion__isnull', True), models.Q(('count__gte', 2), ('dispersion__gte', 0)), _connector='OR'), name='sentiment_day_dispersion_needs_two')],
            },
        ),
        migrations.CreateModel(
            name='SymbolAlias',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('vendor', models.CharField(blank=True, max_length=32, verbose_name='provider')),
                ('symbol', models.CharField(max_length=32)),
                ('instrument', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='aliases', to='marketdata.instrument')),
            ],
            options={
                'verbose_name_plural': 'symbol aliases',
                'ordering': ['symbol', 'vendor'],
                'constraints': [models.UniqueConstraint(fields=('vendor', 'symbol'), name='symbol_alias_once'), models.UniqueConstraint(condition=models.Q(('vendor', ''), _negated=True), fields=('instrument', 'vendor'), name='symbol_alias_one_per_vendor')],
            },
        ),
        migrations.CreateModel(
            name='Backfill',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('instrument_pks', models.JSONField()),
                ('through', models.DateField(verbose_name='last session')),
                ('status', models.CharField(choices=[('waiting', 'Waiting'), ('done', 'Done')], default='waiting', max_length=8)),
                ('done', models.PositiveIntegerField(default=0, verbose_name='completed instruments')),
                ('failed_symbols', models.JSONField(default=list)),
                ('created_at', models.DateTimeField()),
                ('claimed_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-created_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('finished_at__isnull', True), ('status', 'waiting')), models.Q(('finished_at__isnull', False), ('status', 'done')), _connector='OR'), name='backfill_finished_when_done')],
            },
        ),
        migrations.CreateModel(
            name='BarBlock',
            fields=[
                ('instrument', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='bar_block', serialize=False, to='marketdata.instrument')),
                ('row_count', models.PositiveIntegerField()),
                ('body', models.BinaryField()),
                ('checksums', models.BinaryField()),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('row_count__gt', 0)), name='bar_block_not_empty')],
            },
        ),
        migrations.CreateModel(
            name='Quote',
            fields=[
                ('instrument', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='quote', serialize=False, to='marketdata.instrument')),
                ('price', models.DecimalField(decimal_places=12, max_digits=24)),
                ('as_of', models.DateTimeField()),
                ('session', models.DateField()),
                ('previous_close', models.DecimalField(blank=True, decimal_places=12, max_digits=24, null=True)),
                ('source', models.CharField(max_length=32)),
                ('is_delayed', models.BooleanField(default=False, verbose_name='delayed quote')),
                ('received_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['instrument__symbol'],
                'constraints': [models.CheckConstraint(condition=models.Q(('price__gt', 0)), name='quote_price_positive'), models.CheckConstraint(condition=models.Q(('previous_close__isnull', True), ('previous_close__gt', 0), _connector='OR'), name='quote_previous_close_positive'), models.CheckConstraint(condition=models.Q(('as_of__lte', models.F('received_at'))), name='quote_not_from_the_future')],
            },
        ),
        migrations.RunSQL(CREATE_TRIGGERS, DROP_TRIGGERS),
    ]
