"""A file of labelled dirty rows: each is rejected by its rule, and every clean row is stored."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import call_command

from marketdata.models import CorporateAction, DailyBar, QuarantinedBar
from marketdata.provider_records import BarRecord
from marketdata.tests.factories import LAST, bars_between, stock, stored_bar
from marketdata.tests.test_quality import scaled

pytestmark = pytest.mark.django_db

NOT_A_NUMBER = Decimal("NaN")
# A row of the file and the rule that rejects it; empty for a clean row.
Labelled = list[tuple[BarRecord, str]]


def clean(first: date = date(2023, 1, 3)) -> Labelled:
    return [(bar, "") for bar in bars_between(first, LAST)]


def with_values(rule: str, **changes: Any) -> Labelled:
    rows = clean()
    rows[20] = (replace(rows[20][0], **changes), rule)
    return rows


def at_level(rule: str, factor: str, rows_to_scale: slice, first: date = date(2023, 1, 3)) -> Labelled:
    """Scale the prices of these rows by the factor and label them."""
    rows = clean(first)
    rows[rows_to_scale] = [(scaled(bar, factor), rule) for bar, _ in rows[rows_to_scale]]
    return rows


def with_row(rule: str, place: int, *, instead: bool = False, **changes: Any) -> Labelled:
    """Insert a copy of the row ten sessions earlier, with these changes."""
    rows = clean()
    rows.insert(place, (replace(rows[place - 10][0], **changes), rule))
    if instead:
        rows[place - 10] = (rows[place - 10][0], rule)
    return rows


def out_of_order() -> Labelled:
    rows = clean()
    bar, _ = rows.pop(30)
    rows.insert(50, (bar, "out_of_order"))
    return rows


def flat() -> Labelled:
    rows = clean()
    rows[21:27] = [(replace(rows[20][0], session=bar.session), "flat_line") for bar, _ in rows[21:27]]
    return rows


def shifted() -> Labelled:
    rows = at_level("", "0.55", slice(80, None), date(2022, 10, 3))
    return [(bar, "level_shift" if place < 80 else "") for place, (bar, _) in enumerate(rows)]


def dividend_as_price() -> Labelled:
    rows = clean()
    rows[20] = (scaled(rows[20][0], str(Decimal("2.5") / rows[20][0].close)), "dividend_as_price")
    return rows


CASES: dict[str, Callable[[], Labelled]] = {
    "NAN": lambda: with_values("missing_value", close=NOT_A_NUMBER),
    "NOVOLUME": lambda: with_values("missing_value", volume=None),
    "ZERO": lambda: with_values("price_not_positive", low=Decimal(0)),
    "MINUS": lambda: with_values("price_not_positive", low=Decimal(-5)),
    "HUGE": lambda: with_values("price_too_large", high=Decimal(10) ** 13),
    "CROSSED": lambda: with_values("high_below_low", high=Decimal(98), low=Decimal(99)),
    "OPENED": lambda: with_values("open_outside_range", open=Decimal(110)),
    "CLOSED": lambda: with_values("close_outside_range", close=Decimal(90)),
    "SOLD": lambda: with_values("negative_volume", volume=-1),
    "TRADED": lambda: with_values("volume_too_large", volume=2**63),
    # A Saturday, and Martin Luther King Day.
    "WEEKEND": lambda: with_row("not_a_session", 62, session=date(2023, 1, 7)),
    "HOLIDAY": lambda: with_row("not_a_session", 62, session=date(2023, 1, 16)),
    "FUTURE": lambda: with_row("future_session", 62, session=date(2999, 3, 15)),
    "TWICE": lambda: with_row("duplicate_session", 62),
    "UNSURE": lambda: with_row("duplicate_session", 62, instead=True, volume=7),
    "LATE": out_of_order,
    "PENCE": lambda: at_level("hundredfold", "100", slice(20, 23)),
    "POUNDS": lambda: at_level("hundredfold", "0.01", slice(20, 21)),
    "JUMP": lambda: at_level("price_jump", "1000", slice(20, 21)),
    "SPLIT": lambda: at_level("unadjusted_split", "0.25", slice(-10, None)),
    "NAMED": lambda: at_level("unadjusted_split", "1.5", slice(0, 20)),
    "DOUBLE": lambda: at_level("split_applied_twice", "0.3333", slice(0, 20)),
    "STILL": flat,
    "PAID": dividend_as_price,
    "LONE": lambda: at_level("lone_bar", "1.25", slice(20, 21)),
    "SPUN": shifted,
    "DUAL": lambda: at_level("sources_disagree", "1.06", slice(20, 21)),
}
ACTIONS = {"NAMED": ("split", "1.5"), "DOUBLE": ("split", "3"), "PAID": ("dividend", "2.5")}
PRICES = ("open", "high", "low", "close")


def csv_file(path: Path, rows: list[tuple[str, BarRecord]]) -> Path:
    lines = ["symbol,date,open,high,low,close,volume"]
    for symbol, bar in rows:
        prices = ",".join(str(getattr(bar, name)) for name in PRICES)
        lines.append(f"{symbol},{bar.session},{prices},{'' if bar.volume is None else bar.volume}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def parquet_file(path: Path, rows: list[tuple[str, BarRecord]]) -> Path:
    columns: dict[str, Any] = {
        "symbol": [symbol for symbol, _ in rows],
        "date": [bar.session for _, bar in rows],
        **{name: [float(getattr(bar, name)) for _, bar in rows] for name in PRICES},
        "volume": pa.array([None if bar.volume is None else float(bar.volume) for _, bar in rows], pa.float64()),
    }
    pq.write_table(pa.table(columns), path, row_group_size=100)
    return path


@pytest.mark.parametrize("written", [csv_file, parquet_file])
def test_every_dirty_row_is_rejected_with_its_reason(written: Callable[..., Path], tmp_path: Path) -> None:
    cases = {symbol: case() for symbol, case in CASES.items()}
    stocks = {symbol: stock(symbol) for symbol in CASES}
    for symbol, (kind, value) in ACTIONS.items():
        session = cases[symbol][20][0].session
        CorporateAction.objects.create(
            instrument=stocks[symbol], session=session, kind=kind, value=Decimal(value), source="test"
        )
    type(stocks["DUAL"]).objects.filter(symbol="DUAL").update(source="yahoo", basis_date=LAST)
    for bar in bars_between(date(2023, 1, 3), LAST):
        stored_bar(stocks["DUAL"], bar.session, **{name: getattr(bar, name) for name in (*PRICES, "adjusted_close")})
    # Rows of different stocks alternate, as in files sorted by date.
    longest = max(len(rows) for rows in cases.values())
    mixed = [(symbol, rows[n][0]) for n in range(longest) for symbol, rows in cases.items() if n < len(rows)]
    printed = StringIO()
    call_command("import_bars", str(written(tmp_path / "bars", mixed)), stdout=printed)
    output = printed.getvalue()
    for symbol, rows in cases.items():
        labelled = {(bar.session, rule) for bar, rule in rows if rule}
        refused = QuarantinedBar.objects.filter(instrument=stocks[symbol])
        assert set(refused.values_list("session", "rule")) == labelled, symbol
        stored = DailyBar.objects.filter(instrument=stocks[symbol], source="import").order_by("session")
        assert list(stored.values_list("session", "close")) == sorted(
            {(bar.session, bar.close) for bar, rule in rows if not rule}
        ), symbol
        assert any(f"{symbol} {session}, {rule}: " in output for session, rule in labelled), symbol
