"""Ledger payloads: canonical JSON of every column, written and compared by one mapping."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import rfc8785
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.sql import fetch_rows
from predictions import ledger_payload
from predictions.ledger_payload import (
    GENESIS,
    SCHEMA_KEY,
    LedgerMapping,
    canonical_json,
    chain_hash,
    decimal_text,
    parse_payload,
)
from predictions.models import Forecast, ForecastInput, LedgerCheck, LedgerHead, Outcome, Toolchain
from predictions.models.ledger_mappings import FORECAST_MAPPING, HEAD_MAPPING, OUTCOME_MAPPING
from predictions.selectors import ledger as stored
from predictions.tests.factories import ORIGIN, abstention, forecast, forecasts, live_columns, model_version, stock
from predictions.tests.tampering import alter

AWKWARD = 'a "quoted" \\ back\tslash\nline \\N \x1f \x7f € \u2028 %s 𝄞'
ASCII_KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
EXACT_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**12), max_value=10**12).map(
        decimal_text
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ASCII_KEYS, inner, max_size=6),
    max_leaves=20,
)


@pytest.fixture
def awkward(db: None) -> list[Forecast]:
    """Rows with texts that need escapes, with numbers at the ends of their ranges, and without any numbers."""
    model_version()
    apple = stock()
    inputs = ForecastInput.objects.create(
        instrument=apple, origin=ORIGIN, feature_set="hc1", sha256="ab" * 32, rows=1, columns=1, block=b"x"
    )
    drivers = [
        {"name": AWKWARD, "words": "", "contribution": "0.000001", "direction": "up"},
        {"name": "b", "words": "w", "contribution": "-12.5", "direction": "down"},
        {"name": "c", "words": "w", "contribution": "0", "direction": "up"},
    ]
    plain = forecasts([apple], (1, 5, 10, 20), inputs=inputs, toolchain=Toolchain.objects.create(versions="numpy 2"))
    rich = forecast(
        stock("BRK.B"), signal_reason=AWKWARD, reasons=[AWKWARD, "", "{a,b}", "null"], drivers=drivers,
        last_price=Decimal("0.000000000001"), upper_99=Decimal("999999999999.999999999999"),
        recorded_at=datetime(2023, 9, 14, 22, 5, 0, 120, tzinfo=UTC), basis_date=None,
    )  # fmt: skip
    return [*plain, rich, abstention(stock("NVDA"), reasons=[])]


@settings(deadline=None, max_examples=400)
@given(value=EXACT_VALUES)
def test_canonical_json_agrees_with_the_reference_implementation(value: Any) -> None:
    assert canonical_json(value).encode() == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [0.5, [1, 2.0], {"a": {"b": [float("nan")]}}, {"é": 1}, {"a": [{"\U0001d11e": ""}]}])
def test_canonical_json_refuses_floats_and_keys_that_are_not_ascii(value: Any) -> None:
    with pytest.raises(TypeError, match=r"decimal string|must be ASCII"):
        canonical_json(value)


@settings(deadline=None)
@given(value=st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**12), max_value=10**12))
def test_decimal_text_is_exact_plain_and_unique_per_value(value: Decimal) -> None:
    text = decimal_text(value)
    assert Decimal(text) == value
    assert not {"e", "E", "+"} & set(text)
    assert text == decimal_text(value.quantize(Decimal("1e-12")))
    assert text == "0" or (not text.endswith(".") and not ("." in text and text.endswith("0")))


@pytest.mark.parametrize(
    ("value", "text"), [("0E-12", "0"), ("-0.00", "0"), ("1E+3", "1000"), ("174.500000", "174.5"), ("0.01", "0.01")]
)
def test_decimal_text_of_known_values(value: str, text: str) -> None:
    assert decimal_text(Decimal(value)) == text


def test_stored_payloads_are_canonical_and_begin_with_their_schema(awkward: list[Forecast]) -> None:
    rows = list(stored.chain_rows(compared=True))
    assert [row.key for row in rows] == [row.pk for row in awkward]
    for row in rows:
        assert row.payload.startswith('{"_schema":1,')
        assert row.payload.encode() == rfc8785.dumps(json.loads(row.payload))
        assert row.fault is None


def test_a_row_read_from_the_database_gives_the_payload_that_was_stored(awkward: list[Forecast]) -> None:
    read = list(Forecast.objects.order_by("pk"))
    assert [FORECAST_MAPPING.payload(row) for row in read] == [row.payload for row in awkward]
    assert [FORECAST_MAPPING.differences(row, row.payload) for row in read] == [[]] * len(awkward)


@pytest.mark.usefixtures("awkward")
def test_the_comparison_does_not_depend_on_settings_of_the_session() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'Asia/Tokyo'")
        cursor.execute("SET LOCAL datestyle = 'German'")
    assert {row.fault for row in stored.chain_rows(compared=True)} == {None}


def test_a_chain_begins_with_genesis_and_links_each_row_to_the_one_before(awkward: list[Forecast]) -> None:
    rows = list(stored.chain_rows())
    assert [row.previous_hash for row in rows] == [GENESIS, *(row.entry_hash for row in rows[:-1])]
    assert [row.entry_hash for row in rows] == [chain_hash(row.previous_hash, row.payload) for row in rows]
    assert [row.pk for row in awkward] == sorted(row.pk for row in awkward)


def test_rows_are_read_in_several_queries_without_loss(
    awkward: list[Forecast], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = list(stored.chain_rows())
    keys = [row.pk for row in awkward]
    for size in (1, 2, 3, 6, 7):
        monkeypatch.setattr(stored, "ROWS_PER_QUERY", size)
        assert list(stored.chain_rows()) == whole
        assert list(stored.chain_rows(after=keys[0], through=keys[4])) == whole[1:5]
        assert list(stored.chain_rows(after=keys[0], limit=3)) == whole[1:4]


@pytest.mark.parametrize(
    ("model", "mapping", "by_content", "outside"),
    [
        (Forecast, FORECAST_MAPPING, {"inputs_id": "inputs_sha256", "toolchain_id": "toolchain"}, {"model_sha256"}),
        (Outcome, OUTCOME_MAPPING, {}, set()),
        (LedgerHead, HEAD_MAPPING, {}, set()),
    ],
)
def test_every_column_is_in_the_payload(
    model: Any, mapping: LedgerMapping, by_content: dict[str, str], outside: set[str]
) -> None:
    columns = {field.attname for field in model._meta.concrete_fields} - {"payload", "previous_hash", "entry_hash"}
    expected = {by_content.get(name, name) for name in columns} | outside
    assert set(mapping.keys(1)) == expected - ({"id", "signature"} if model is LedgerHead else set())


@pytest.mark.django_db
def test_a_known_row_has_a_known_payload_and_hash() -> None:
    apple = stock(tick=Decimal("0.01"))
    row = Forecast(
        pk=7, instrument=apple, symbol="AAPL", tick=Decimal("0.01"), origin=ORIGIN, horizon_sessions=5,
        target=date(2023, 9, 21), status="abstained", reasons=["too little history"],
        last_price=Decimal("174.500"), model_version=model_version(), fit="serving", data_source="sample",
        **live_columns("XNAS", ORIGIN, "live"),
    )  # fmt: skip
    expected = (
        '{"_schema":1,"base_rate_up":null,"basis_date":null,"big_move":null,"confidence":null,"data_source":"sample",'
        f'"drivers":[],"fit":"serving","horizon_sessions":5,"id":7,"inputs_sha256":null,"instrument_id":{apple.pk},'
        '"kind":"live","last_price":"174.5","live_until":"2023-09-15T13:30:00.000000+00:00","lower_80":null,"lower_95":null,"lower_99":null,'
        f'"model_sha256":"{"0" * 64}","model_version_id":{row.model_version_id},"origin":"2023-09-14",'
        '"origin_closed_at":"2023-09-14T20:00:00.000000+00:00",'
        '"predicted_price":null,"probability_beats_median":null,"probability_up":null,"reasons":["too little history"],'
        '"recorded_at":"2023-09-14T21:00:00.000000+00:00","risk_level":"","signal":"","signal_meaning":"",'
        '"signal_reason":"","status":"abstained","symbol":"AAPL","target":"2023-09-21","tick":"0.01",'
        '"toolchain":null,"upper_80":null,"upper_95":null,"upper_99":null,"volatility_rises":null}'
    )
    assert FORECAST_MAPPING.payload(row) == expected
    assert chain_hash(GENESIS, expected) == hashlib.sha256(f"{GENESIS}\n{expected}".encode()).hexdigest()


@pytest.mark.parametrize("payload", ["", "[]", "1", "{}", '{"_schema":0}', '{"_schema":2}', '{"_schema":"1"}', "{"])
def test_a_payload_without_a_known_schema_is_refused(payload: str) -> None:
    with pytest.raises(ValueError, match=r"schema|Expecting"):
        parse_payload(payload)
    assert parse_payload('{"_schema":1}') == {SCHEMA_KEY: 1}


def test_payloads_of_an_older_schema_stay_readable(awkward: list[Forecast], monkeypatch: pytest.MonkeyPatch) -> None:
    """A second schema adds a field: rows of both are compared, each with the fields of its schema."""
    newer = replace(FORECAST_MAPPING, since={"risk_level": 2})
    old = dict(json.loads(awkward[0].payload))
    del old["risk_level"]
    monkeypatch.setattr(ledger_payload, "SCHEMA", 2)
    assert "risk_level" in newer.keys(2)
    assert "risk_level" not in newer.keys(1)
    assert newer.differences(awkward[0], canonical_json(old)) == []
    assert newer.differences(awkward[0], canonical_json(old | {SCHEMA_KEY: 2})) == ["risk_level"]
    for payload, fault in ((old, None), (old | {SCHEMA_KEY: 2}, "columns"), (old | {SCHEMA_KEY: 3}, "schema")):
        alter(f"UPDATE predictions_forecast SET payload = '{canonical_json(payload)}' WHERE id = {awkward[0].pk}")
        compared = fetch_rows(
            f"SELECT {newer.comparison_sql()} FROM predictions_forecast stored "
            "CROSS JOIN LATERAL (SELECT payload AS text, payload::jsonb AS fields) parsed WHERE id = %s",
            [awkward[0].pk],
        )
        assert compared == [(fault,)]


def test_a_column_without_an_exact_text_is_refused() -> None:
    with pytest.raises(TypeError, match="FloatField"):
        _ = LedgerMapping(LedgerCheck).columns
