"""What is hashed of a forecast says everything that is stored, and the database tells it in the same bytes."""

import hashlib
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from predictions.models import Forecast, ForecastInput, Outcome, Toolchain
from predictions.sealing import COLUMNS, JSON_COLUMNS, OUTCOME_COLUMNS, jsonb_text, line_of, link, said
from predictions.selectors import ledger as stored
from predictions.services.ledger import GENESIS, stored_texts
from predictions.tests.factories import NOW, ORIGIN, abstention, forecast, forecasts, model_version, stock

AWKWARD = 'a "quoted" \\ back\tslash\nline \\N \x1f \x7f € \u2028 %s'


@pytest.fixture
def awkward(db: None) -> list[Forecast]:
    """Rows with texts that need escapes, with numbers at the ends of their ranges, and without any numbers."""
    model_version()
    apple = stock()
    inputs = ForecastInput.objects.create(
        instrument=apple, origin=ORIGIN, feature_set="hc1", sha256="ab" * 32, rows=1, columns=1, block=b"x"
    )
    drivers = [
        {"name": AWKWARD, "words": "", "contribution": 1e-06, "direction": "up"},
        {"name": "b", "words": "w", "contribution": -12.5, "direction": "down"},
        {"name": "c", "words": "w", "contribution": 0.0, "direction": "up"},
    ]
    plain = forecasts([apple], (1, 5, 10, 20), inputs=inputs, toolchain=Toolchain.objects.create(versions="numpy 2"))
    rich = forecast(
        stock("BRK.B"), signal_reason=AWKWARD, reasons=[AWKWARD, "", "{a,b}", "null"], drivers=drivers,
        last_price=Decimal("0.000001"), upper_99=Decimal("999999999999.999999"),
        recorded_at=datetime(2023, 9, 21, 22, 5, 0, 120, tzinfo=UTC), basis_date=None,
    )  # fmt: skip
    return [*plain, rich, abstention(stock("NVDA"), reasons=[])]


def test_the_database_says_what_was_sealed_byte_for_byte(awkward: list[Forecast]) -> None:
    rows = list(stored.sealed_rows())
    assert len(rows) == 6
    for row, sealed in zip(rows, awkward, strict=True):
        assert said(row.texts) == said(stored_texts(sealed))
        assert row.entry_hash == sealed.entry_hash
        json.loads(said(row.texts))


@pytest.mark.usefixtures("awkward")
def test_the_bytes_do_not_depend_on_settings_of_the_session() -> None:
    before = [said(row.texts) for row in stored.sealed_rows()]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'Asia/Tokyo'")
        cursor.execute("SET LOCAL datestyle = 'German'")
    assert [said(row.texts) for row in stored.sealed_rows()] == before


def test_a_chain_begins_with_genesis_and_links_each_row_to_the_one_before(awkward: list[Forecast]) -> None:
    rows = list(stored.sealed_rows())
    assert [row.previous_hash for row in rows] == [GENESIS, *(row.entry_hash for row in rows[:-1])]
    assert [row.pk for row in awkward] == sorted(row.pk for row in awkward)


def test_rows_are_read_in_pieces_without_loss(awkward: list[Forecast], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(stored.sealed_rows())
    keys = [row.pk for row in awkward]
    for size in (1, 2, 3, 6, 7):
        monkeypatch.setattr(stored, "ROWS_AT_A_TIME", size)
        assert list(stored.sealed_rows()) == whole
        assert list(stored.sealed_rows(after=keys[0], through=keys[4])) == whole[1:5]
        assert list(stored.sealed_rows(after=keys[0], most=3)) == whole[1:4]


def test_every_stored_column_is_covered_by_the_hash() -> None:
    names = {field.attname for field in Forecast._meta.concrete_fields}
    by_content = {"inputs_id": "inputs_sha256", "toolchain_id": "toolchain"}
    links = {"previous_hash", "entry_hash"}
    assert {by_content.get(name, name) for name in names - links} | {"model_sha256"} == set(COLUMNS)
    assert list(COLUMNS) == sorted(COLUMNS)
    assert set(COLUMNS) > JSON_COLUMNS


def test_every_stored_column_of_an_outcome_is_covered() -> None:
    assert {field.attname for field in Outcome._meta.concrete_fields} == set(OUTCOME_COLUMNS)


@pytest.mark.django_db
def test_a_known_row_has_a_known_text_and_hash() -> None:
    apple = stock(tick=Decimal("0.01"))
    row = Forecast(
        pk=7, instrument=apple, symbol="AAPL", tick=Decimal("0.01"), origin=ORIGIN, horizon_sessions=5,
        target=date(2023, 9, 21), kind="live", status="abstained", reasons=["too little history"],
        last_price=Decimal("174.5"), model_version=model_version(), fit="serving", data_source="sample",
        recorded_at=NOW, previous_hash=GENESIS,
    )  # fmt: skip
    text = said(stored_texts(row))
    expected = (
        '{"base_rate_up":null,"basis_date":null,"big_move":null,"confidence":null,"data_source":"sample","drivers":[],'
        f'"fit":"serving","horizon_sessions":5,"id":7,"inputs_sha256":null,"instrument_id":{apple.pk},"kind":"live",'
        '"last_price":"174.500000","lower_80":null,"lower_95":null,"lower_99":null,'
        f'"model_sha256":"{"0" * 64}","model_version_id":{row.model_version_id},"origin":"2023-09-14",'
        '"predicted_price":null,"probability_beats_median":null,"probability_up":null,"reasons":["too little history"],'
        '"recorded_at":"2023-09-21T22:05:00.000000+00:00","risk_level":"","signal":"","signal_meaning":"",'
        '"signal_reason":"","status":"abstained","symbol":"AAPL","target":"2023-09-21","tick":"0.010000",'
        '"toolchain":null,"upper_80":null,"upper_95":null,"upper_99":null,"volatility_rises":null}'
    )
    assert text == expected
    assert link(GENESIS, text) == hashlib.sha256(f"{GENESIS}\n{expected}".encode()).hexdigest()
    assert json.loads(line_of(GENESIS, "f" * 64, text))["said"] == json.loads(expected)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.django_db
@settings(max_examples=150, deadline=None)
@given(value=JSON_VALUES)
def test_json_is_written_as_the_database_writes_it(value: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb::text", [json.dumps(value)])
        assert jsonb_text(value) == cursor.fetchone()[0]
