"""Which ledger tables the database lets anyone change: those without their append-only triggers."""

from django.db.backends.base.base import BaseDatabaseWrapper

PROTECTED = ("forecast", "forecastinput", "ledgerhead", "ledgerkey", "outcome", "toolchain", "witnessedhead")
# Each table needs an unconditional row trigger and a TRUNCATE trigger that run in every ordinary session and raise;
# forecasts and heads also need the one that keeps their order in time.
UNPROTECTED_TABLES = """
SELECT relname FROM pg_class WHERE oid = ANY(SELECT to_regclass('predictions_' || name) FROM unnest(%s::text[]) AS name)
AND 2 + (relname IN ('predictions_forecast', 'predictions_ledgerhead'))::int > (
    SELECT count(*) FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE tgrelid = pg_class.oid AND tgenabled IN ('O', 'A') AND tgqual IS NULL
        AND prosrc ILIKE '%%RAISE EXCEPTION%%' AND (
            tgname IN ('append_only_rows', 'append_only_table') AND proname = 'predictions_refuse_change'
                AND prosrc NOT ILIKE '%%RETURN%%'
            OR tgname = 'appended_in_order' AND proname = 'predictions_refuse_disorder'
            OR tgname = 'head_in_order' AND proname = 'predictions_refuse_early_head'
        )
)
ORDER BY relname
"""


def ledger_tables(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the append-only tables that exist."""
    existing = connection.introspection.table_names()
    return [table for name in PROTECTED if (table := f"predictions_{name}") in existing]


def unprotected_tables(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the ledger tables with a trigger that is missing, disabled or altered; skips tables that do not exist."""
    with connection.cursor() as cursor:
        cursor.execute(UNPROTECTED_TABLES, [list(PROTECTED)])
        return [name for (name,) in cursor.fetchall()]
