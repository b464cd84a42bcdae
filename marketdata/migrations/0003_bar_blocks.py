import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models


# Whoever changes a bar, by whatever way, makes the instrument's block disappear: it can be missing, never wrong.
# Every bar has its instrument: what a foreign key says, checked once a statement in place of once a row.
FORGET = """
CREATE FUNCTION marketdata_require_instruments(wanted bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    there bigint[] := ARRAY(SELECT id FROM marketdata_instrument WHERE id = ANY(wanted) FOR KEY SHARE);
BEGIN
    IF NOT wanted <@ there THEN
        RAISE foreign_key_violation USING MESSAGE = 'a bar has no instrument', CONSTRAINT = 'daily_bar_has_instrument';
    END IF;
END $$;
CREATE FUNCTION marketdata_require_no_bars() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM gone JOIN marketdata_dailybar ON instrument_id = gone.id) THEN
        RAISE foreign_key_violation USING
            MESSAGE = 'an instrument that has bars cannot go', CONSTRAINT = 'instrument_keeps_its_bars';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION marketdata_new_bars() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM marketdata_require_instruments(ARRAY(SELECT DISTINCT instrument_id FROM touched));
    DELETE FROM marketdata_barblock WHERE instrument_id IN (SELECT DISTINCT instrument_id FROM touched);
    RETURN NULL;
END $$;
CREATE FUNCTION marketdata_forget_blocks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM marketdata_barblock WHERE instrument_id IN (SELECT DISTINCT instrument_id FROM touched);
    RETURN NULL;
END $$;
CREATE FUNCTION marketdata_forget_moved_blocks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM marketdata_require_instruments(ARRAY(SELECT DISTINCT instrument_id FROM touched));
    DELETE FROM marketdata_barblock WHERE instrument_id IN (
        SELECT instrument_id FROM touched UNION SELECT instrument_id FROM former
    );
    RETURN NULL;
END $$;
CREATE FUNCTION marketdata_forget_all_blocks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM marketdata_barblock;
    RETURN NULL;
END $$;
CREATE TRIGGER bar_block_after_insert AFTER INSERT ON marketdata_dailybar
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION marketdata_new_bars();
CREATE TRIGGER bar_block_after_update AFTER UPDATE ON marketdata_dailybar
    REFERENCING OLD TABLE AS former NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION marketdata_forget_moved_blocks();
CREATE TRIGGER bar_block_after_delete AFTER DELETE ON marketdata_dailybar
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION marketdata_forget_blocks();
CREATE TRIGGER bar_block_after_truncate AFTER TRUNCATE ON marketdata_dailybar
    FOR EACH STATEMENT EXECUTE FUNCTION marketdata_forget_all_blocks();
CREATE TRIGGER instrument_keeps_its_bars AFTER DELETE ON marketdata_instrument
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION marketdata_require_no_bars();
-- Uncompressed, a part of a long value is read without the rest.
ALTER TABLE marketdata_barblock ALTER COLUMN body SET STORAGE EXTERNAL;
"""
REMEMBER = """
DROP TRIGGER bar_block_after_insert ON marketdata_dailybar;
DROP TRIGGER bar_block_after_update ON marketdata_dailybar;
DROP TRIGGER bar_block_after_delete ON marketdata_dailybar;
DROP TRIGGER bar_block_after_truncate ON marketdata_dailybar;
DROP TRIGGER instrument_keeps_its_bars ON marketdata_instrument;
DROP FUNCTION marketdata_new_bars();
DROP FUNCTION marketdata_require_instruments(bigint[]);
DROP FUNCTION marketdata_require_no_bars();
DROP FUNCTION marketdata_forget_blocks();
DROP FUNCTION marketdata_forget_moved_blocks();
DROP FUNCTION marketdata_forget_all_blocks();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('marketdata', '0002_trigrams'),
    ]

    operations = [
        migrations.CreateModel(
            name='Backfill',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('instrument_pks', models.JSONField()),
                ('through', models.DateField(verbose_name='last session wanted')),
                ('status', models.CharField(choices=[('waiting', 'Waiting'), ('done', 'Done')], default='waiting', max_length=8)),
                ('done', models.PositiveIntegerField(default=0, verbose_name='instruments that are done')),
                ('failed_symbols', models.JSONField(default=list)),
                ('created_at', models.DateTimeField()),
                ('claimed_at', models.DateTimeField(blank=True, null=True, verbose_name='when a worker took the present piece')),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-created_at'],
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
        ),
        migrations.CreateModel(
            name='SymbolAlias',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('vendor', models.CharField(blank=True, max_length=32, verbose_name='name of the provider')),
                ('symbol', models.CharField(max_length=32)),
            ],
            options={
                'verbose_name_plural': 'symbol aliases',
                'ordering': ['symbol', 'vendor'],
            },
        ),
        migrations.AddField(
            model_name='instrument',
            name='delisted_on',
            field=models.DateField(blank=True, null=True, verbose_name='last session before it was delisted'),
        ),
        migrations.AlterField(
            model_name='dailybar',
            name='instrument',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='bars', to='marketdata.instrument'),
        ),
        migrations.AddIndex(
            model_name='instrument',
            index=django.contrib.postgres.indexes.GinIndex(fields=['symbol'], name='instrument_symbol_trigrams', opclasses=['gin_trgm_ops']),
        ),
        migrations.AddIndex(
            model_name='instrument',
            index=django.contrib.postgres.indexes.GinIndex(fields=['name'], name='instrument_name_trigrams', opclasses=['gin_trgm_ops']),
        ),
        migrations.AddConstraint(
            model_name='instrument',
            constraint=models.CheckConstraint(condition=models.Q(('delisted_on__isnull', True), ('is_active', False), _connector='OR'), name='instrument_delisted_is_not_active'),
        ),
        migrations.AddConstraint(
            model_name='backfill',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('finished_at__isnull', True), ('status', 'waiting')), models.Q(('finished_at__isnull', False), ('status', 'done')), _connector='OR'), name='backfill_finished_when_done'),
        ),
        migrations.AddConstraint(
            model_name='barblock',
            constraint=models.CheckConstraint(condition=models.Q(('row_count__gt', 0)), name='bar_block_not_empty'),
        ),
        migrations.AddField(
            model_name='symbolalias',
            name='instrument',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='aliases', to='marketdata.instrument'),
        ),
        migrations.AddConstraint(
            model_name='symbolalias',
            constraint=models.UniqueConstraint(fields=('vendor', 'symbol'), name='symbol_alias_once'),
        ),
        migrations.AddConstraint(
            model_name='symbolalias',
            constraint=models.UniqueConstraint(condition=models.Q(('vendor', ''), _negated=True), fields=('instrument', 'vendor'), name='symbol_alias_one_per_vendor'),
        ),
        migrations.RunSQL(FORGET, REMEMBER),
    ]
