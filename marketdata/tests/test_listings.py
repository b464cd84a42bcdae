"""Comparison of a source's statement about a listing with the instrument, and conversion of minor units."""

from datetime import date
from decimal import Decimal

import pytest

from marketdata.provider_records import CorporateActionRecord, VendorListing
from marketdata.quality.listings import listing_problem, price_factor, scale_bars, scale_dividends
from marketdata.tests.factories import bar

ON = date(2023, 3, 31)


@pytest.mark.parametrize(
    ("listing", "mic", "currency", "problem"),
    [
        (VendorListing(), "XNYS", "USD", ""),
        (VendorListing("America/New_York", "XNYS", "USD"), "XNAS", "USD", ""),
        (VendorListing("US/Eastern"), "XNYS", "USD", ""),
        (VendorListing(currency="usd"), "XNYS", "USD", ""),
        (VendorListing("Europe/London", "XLON", "GBp"), "XLON", "GBP", ""),
        (VendorListing(states_currency=False), "XNYS", "USD", ""),
        (VendorListing(states_currency=False), "XLON", "GBX", ""),
        (VendorListing("Asia/Tokyo"), "XNYS", "USD", "its time zone is Asia/Tokyo, but XNYS is in America/New_York"),
        (VendorListing("Mars/Base"), "XNYS", "USD", "its time zone is Mars/Base, but XNYS is in America/New_York"),
        (VendorListing("../etc"), "XNYS", "USD", "its time zone is ../etc, but XNYS is in America/New_York"),
        # Both are one hour ahead of UTC in winter, but only Paris changes its clocks.
        (VendorListing("Africa/Lagos"), "XPAR", "EUR", "its time zone is Africa/Lagos, but XPAR is in Europe/Paris"),
        (VendorListing(exchange="XTKS"), "XNYS", "USD", "its exchange is XTKS, but the instrument's is XNYS"),
        (
            VendorListing(currency="GBp"),
            "XNYS",
            "USD",
            "its prices are in GBp, but the instrument's currency is USD",
        ),
        (
            VendorListing(states_currency=False),
            "XLON",
            "GBP",
            "it states no currency, so prices in GBX cannot be told from the instrument's GBP",
        ),
    ],
)
def test_contradiction_names_both_values(listing: VendorListing, mic: str, currency: str, problem: str) -> None:
    assert listing_problem(listing, mic=mic, currency=currency, on=ON) == problem


@pytest.mark.parametrize(
    ("theirs", "ours", "factor"),
    [
        ("GBp", "GBP", "0.01"),
        ("GBX", "GBP", "0.01"),
        ("GBP", "GBX", "100"),
        ("GBp", "GBX", "1"),
        ("ZAc", "ZAR", "0.01"),
        ("KWF", "KWD", "0.001"),
        ("USD", "USD", "1"),
        ("", "GBP", "1"),
    ],
)
def test_minor_units_are_converted(theirs: str, ours: str, factor: str) -> None:
    assert price_factor(VendorListing(currency=theirs), currency=ours) == Decimal(factor)


def test_prices_and_dividends_are_scaled_and_splits_are_not() -> None:
    # 321.73 pence are 3.2173 pounds.
    (scaled,) = scale_bars([bar(ON, "321.73")], Decimal("0.01"))
    assert (scaled.close, scaled.high, scaled.volume) == (Decimal("3.2173"), Decimal("3.2273"), 1_000)
    actions = [CorporateActionRecord(ON, "dividend", Decimal(5)), CorporateActionRecord(ON, "split", Decimal(4))]
    assert [one.value for one in scale_dividends(actions, Decimal("0.01"))] == [Decimal("0.05"), Decimal(4)]
