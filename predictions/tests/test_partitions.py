"""Forecasts and outcomes can be partitioned by origin without a change to any key."""

from datetime import date

import pytest
from django.db import IntegrityError, connection, transaction

from marketdata.sql import fetch_rows
from predictions.models import Forecast
from predictions.tests.factories import forecasts, model_version, stock
from predictions.tests.scene import record_outcome
from predictions.tests.tampering import MIGRATION, alter

pytestmark = pytest.mark.django_db

TABLES = ("predictions_forecast", "predictions_outcome")
INDEXES = "SELECT indexname FROM pg_indexes WHERE tablename = %s ORDER BY indexname"
UNIQUE_KEYS = """
SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_index i
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
WHERE i.indrelid = %s::regclass AND i.indisunique GROUP BY i.indexrelid
"""


@pytest.fixture
def partitioned() -> None:
    """Partitioned twins of both tables with the year 2023 as a partition, which has the columns and keys of today."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"CREATE TABLE {table}_twin (LIKE {table} INCLUDING ALL) PARTITION BY RANGE (origin)")
            cursor.execute(f"CREATE TABLE {table}_2023 (LIKE {table} INCLUDING ALL EXCLUDING IDENTITY)")
            before = fetch_rows(INDEXES, [f"{table}_2023"])
            cursor.execute(
                f"ALTER TABLE {table}_twin ATTACH PARTITION {table}_2023 "
                "FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')"
            )
            assert fetch_rows(INDEXES, [f"{table}_2023"]) == before
            assert before
            cursor.execute(MIGRATION.ROW_TRIGGER.format(table=f"{table}_twin"))
        cursor.execute(
            "ALTER TABLE predictions_outcome_twin ADD FOREIGN KEY (forecast_id, origin) "
            "REFERENCES predictions_forecast_twin (id, origin)"
        )


@pytest.mark.parametrize("table", TABLES)
def test_every_unique_key_includes_the_origin(table: str) -> None:
    keys = [key for (key,) in fetch_rows(UNIQUE_KEYS, [table])]
    assert ["id", "origin"] in keys
    assert len(keys) == (3 if table == "predictions_forecast" else 2)
    assert all("origin" in key for key in keys)


def test_rows_move_to_the_partition_of_their_origin_and_keep_their_keys(partitioned: None) -> None:
    model_version()
    stored = forecasts([stock("AAPL"), stock("NVDA")], (1, 5))
    record_outcome(stored[0], right=True)
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"INSERT INTO {table}_twin SELECT * FROM {table}")
            assert cursor.rowcount == len(fetch_rows(f"SELECT id FROM {table}_2023"))
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            cursor.execute("UPDATE predictions_forecast_twin SET signal = 'BUY'")
        with pytest.raises(IntegrityError, match="duplicate key"), transaction.atomic():
            cursor.execute("INSERT INTO predictions_forecast_twin SELECT * FROM predictions_forecast")
    (later,) = forecasts([stock("META")], origin=date(2024, 1, 4))
    statement = "INSERT INTO predictions_forecast_twin SELECT * FROM predictions_forecast WHERE id = %s"
    with pytest.raises(IntegrityError, match="no partition"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [later.pk])


def test_an_outcome_refers_to_a_forecast_with_its_origin() -> None:
    model_version()
    (forecast,) = forecasts([stock("AAPL")])
    record_outcome(
        Forecast(pk=forecast.pk, origin=date(2023, 9, 13), predicted_price=forecast.predicted_price), right=True
    )
    with (
        pytest.raises(IntegrityError, match="outcome_of_forecast"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    alter("DELETE FROM predictions_outcome")
