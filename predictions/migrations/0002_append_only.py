"""The ledger is append-only: the database itself refuses to change or remove what was said."""

from django.db import migrations

TABLES = ("predictions_forecast", "predictions_forecastinput")

REFUSAL = """
CREATE FUNCTION predictions_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: forecasts are append-only', TG_OP, TG_TABLE_NAME
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


class Migration(migrations.Migration):
    dependencies = [("predictions", "0001_initial")]

    operations = [
        migrations.RunSQL(REFUSAL, "DROP FUNCTION predictions_refuse_change()"),
        *(
            migrations.RunSQL((ROWS + TABLE).format(table=table), UNDO.format(table=table))
            for table in TABLES
        ),
    ]
