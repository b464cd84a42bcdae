"""Forecasts say their symbol, tick, fit and toolchain, a head is kept each day, and all of it is append-only.

What was sealed before says none of this and cannot be verified any more, so it goes: nothing but demonstrations was
ever stored in that form.
"""

import django.db.models.deletion
from django.db import migrations, models

TABLES = ("predictions_outcome", "predictions_ledgerhead", "predictions_toolchain")

CLEAR = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM predictions_forecast) OR EXISTS (SELECT FROM predictions_forecastinput) THEN
        ALTER TABLE predictions_forecast DISABLE TRIGGER append_only_table;
        ALTER TABLE predictions_forecastinput DISABLE TRIGGER append_only_table;
        TRUNCATE predictions_forecast, predictions_forecastinput CASCADE;
        ALTER TABLE predictions_forecast ENABLE TRIGGER append_only_table;
        ALTER TABLE predictions_forecastinput ENABLE TRIGGER append_only_table;
    END IF;
END $$;
"""
REFUSAL = """
CREATE OR REPLACE FUNCTION predictions_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the ledger is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
"""
ROWS = """
CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION predictions_refuse_change();
"""
TABLE = """
CREATE TRIGGER append_only_table BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION predictions_refuse_change();
"""
UNDO = "DROP TRIGGER append_only_rows ON {table}; DROP TRIGGER append_only_table ON {table};"
# The blocks are compressed already; a second attempt costs time on every insert.
UNCOMPRESSED = "ALTER TABLE predictions_forecastinput ALTER COLUMN block SET STORAGE EXTERNAL"
COMPRESSED = "ALTER TABLE predictions_forecastinput ALTER COLUMN block SET STORAGE EXTENDED"


class Migration(migrations.Migration):
    dependencies = [("predictions", "0002_append_only")]

    operations = [
        migrations.RunSQL(CLEAR, migrations.RunSQL.noop),
        migrations.RunSQL(UNCOMPRESSED, COMPRESSED),
        migrations.CreateModel(
            name="Toolchain",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("versions", models.CharField(max_length=400, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="LedgerCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("checked_at", models.DateTimeField()),
                ("seconds", models.FloatField()),
                ("forecasts", models.PositiveBigIntegerField()),
                ("fault", models.TextField(blank=True)),
            ],
            options={"ordering": ["-checked_at", "-id"]},
        ),
        migrations.CreateModel(
            name="LedgerHead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(unique=True)),
                ("count", models.PositiveBigIntegerField(verbose_name="forecasts in the chain")),
                ("head_hash", models.CharField(max_length=64, verbose_name="entry hash of the newest forecast")),
                ("recorded_at", models.DateTimeField()),
                ("previous_hash", models.CharField(max_length=64)),
                ("entry_hash", models.CharField(max_length=64, unique=True)),
                (
                    "last_forecast",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="predictions.forecast"
                    ),
                ),
            ],
            options={"ordering": ["-day"]},
        ),
        migrations.AddConstraint(
            model_name="ledgerhead",
            constraint=models.CheckConstraint(
                condition=models.Q(("count__gt", 0)), name="ledger_head_has_forecasts"
            ),
        ),
        migrations.AddField(
            model_name="forecast",
            name="symbol",
            field=models.CharField(default="", max_length=15),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="forecast",
            name="tick",
            field=models.DecimalField(decimal_places=6, max_digits=12, null=True),
        ),
        migrations.AddField(
            model_name="forecast",
            name="fit",
            field=models.CharField(
                choices=[("serving", "Serving"), ("holdout", "Holdout")],
                default="serving",
                max_length=7,
                verbose_name="which of the version's two fits",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="forecast",
            name="toolchain",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="predictions.toolchain",
            ),
        ),
        migrations.AddConstraint(
            model_name="forecast",
            constraint=models.CheckConstraint(
                condition=models.Q(("fit__in", ["serving", "holdout"])), name="forecast_fit_known"
            ),
        ),
        migrations.RunSQL(REFUSAL, migrations.RunSQL.noop),
        *(migrations.RunSQL((ROWS + TABLE).format(table=table), UNDO.format(table=table)) for table in TABLES),
    ]
